/* Candidates in the panel: how many of each class, the first of them, what the service noted. The whole of
   them is a view of its own (candidates_view.js). */

import { thumb } from "./api.js";
import { button, el, number, plural, sign, took } from "./dom.js";
import { live, targets, wanted } from "./live.js";
import { mountOptions } from "./options.js";

const FIRST = 5;  // pictures of each class

export function mountSummary(element, store) {
  const state = el("p", { class: "candidates-state" });
  const all = button("", { class: "candidates-all", hidden: true, on: { click: () => live.all() } });
  const show = button("Show them", { class: "primary", hidden: true, on: { click: () => store.setView("candidates") } });
  const rows = el("ul", { class: "candidates-rows" });
  const notes = el("ul", { class: "candidates-notes" });
  const wrong = el("div", { class: "panel-bad", hidden: true });
  const options = el("div");
  element.classList.add("candidates");
  element.replaceChildren(
    el("div", { class: "panel-head" }, el("h2", { text: "Candidates" }), state), rows, wrong,
    el("div", { class: "panel-row" }, show, all), notes, options,
  );
  mountOptions(options, store);

  function busy() {
    element.classList.toggle("busy", store.state.busy);
    element.setAttribute("aria-busy", String(store.state.busy));
    said();
  }

  let since = 0;
  function said() {
    const { selection } = store.state;
    clearTimeout(since);
    if (store.state.busy && selection) since = setTimeout(() => { state.textContent = "Choosing anew …"; }, 400);
    state.textContent = store.state.busy && !selection ? "Looking …" : selection ? plural(selection.candidates.length, "image") + " in " + took(selection.took_ms) : "";
  }

  function render() {
    const { selection, classes } = store.state, chosen = targets(store), count = wanted(store);
    said();
    const groups = new Map(chosen.map((one) => [one.name, []]));
    for (const one of selection?.candidates ?? []) groups.get(one.class)?.push(one);
    rows.replaceChildren(...(selection ? [...groups].map(([name, found]) => row(name, found)) : []));
    if (!selection && !store.state.busy && !live.error) {
      rows.append(el("li", { class: "panel-hint", text: classes.length ? "They appear as soon as a class has a seed." : "They appear as soon as there is a class with a seed." }));
    }
    show.hidden = !selection?.candidates.length;
    all.hidden = !selection || selection.whole || !chosen.length;
    all.replaceChildren("All " + number(count));
    all.title = "Choose all " + number(count) + ", not only the first";
    wrong.hidden = !live.error;
    if (live.error) wrong.replaceChildren(el("p", { role: "alert", text: live.error.message }), button("Try again", { on: { click: () => live.again() } }));
    notes.replaceChildren(...(selection?.notes ?? []).map((text) => el("li", { text })));
    notes.hidden = !notes.childElementCount;
  }

  function row(name, found) {
    const strip = el("span", { class: "candidates-first", "aria-hidden": "true" },
      found.slice(0, FIRST).map((one) => el("img", { src: thumb(one.id, 128), alt: "", decoding: "async" })));
    const made = button("", {
      class: "candidates-row", label: plural(found.length, "candidate") + " for " + name + ": show them", title: "Show the candidates for " + name,
      disabled: !found.length, on: { click: () => { store.emit("candidates-of", name); store.setView("candidates"); } },
    });
    made.append(sign(store, name), el("bdi", { class: "candidates-name", text: name }), el("span", { class: "candidates-count", text: number(found.length) }), strip);
    return el("li", {}, made);
  }

  store.on("selection", render);
  store.on("classes", render);
  store.on("options", render);
  store.on("info", render);
  store.on("busy", busy);
  render();
}
