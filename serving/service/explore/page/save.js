/* Saving: the service writes the files that the commands read; for those who are far from it, the same
   seeds and candidates as downloads. */

import { button, el, nameOf, plural, say, tell } from "./dom.js";
import { requestOf, targets } from "./live.js";

const NAME = "[A-Za-z0-9][A-Za-z0-9._\\-]*";

export function mount(element, store, api) {
  const name = el("input", { type: "text", id: "save-name", value: "round1", maxLength: 100, required: true, pattern: NAME, autocomplete: "off", spellcheck: false });
  const save = button("Save", { type: "submit", icon: "save", class: "primary" });
  const form = el("form", { class: "save-form" }, el("label", { htmlFor: name.id, text: "Name" }), name, save);
  const where = el("p", { class: "panel-hint" });
  const wrong = el("div", { class: "panel-bad", role: "alert", hidden: true });
  const done = el("div", { class: "save-done", hidden: true });
  const seeds = button("seeds.csv", { class: "link", on: { click: () => download(name.value + ".seeds.csv", seedsCsv(store)) } });
  const chosen = button("candidates.csv", { class: "link", on: { click: () => download(name.value + ".candidates.csv", candidatesCsv(store)) } });
  element.classList.add("save");
  element.replaceChildren(el("div", { class: "panel-head" }, el("h2", { text: "Save" })), form, where, wrong, done,
    el("p", { class: "save-down" }, "Download ", seeds, " or ", chosen));
  name.addEventListener("input", () => { name.setCustomValidity(name.validity.patternMismatch ? "Letters, digits, dots, dashes and underscores; a letter or digit first." : ""); wrong.hidden = true; });

  function render() {
    const { info, selection } = store.state;
    if (!info) return;
    form.hidden = !info.save;
    where.textContent = info.save ? "Seeds and candidates go to " + info.save.folder + " as files that the commands read."
      : "This service does not save: it was started without a folder to save to (gandt serve --save-to). Downloads work.";
    save.disabled = !targets(store).length;
    save.title = save.disabled ? "Give a class a seed first" : "";
    seeds.disabled = !store.seedCount();
    chosen.disabled = !selection?.candidates.length;
  }

  form.addEventListener("submit", (event) => { event.preventDefault(); send(false); });

  async function send(replace) {
    const body = requestOf(store, true);
    if (!body || save.getAttribute("aria-disabled") === "true") return;
    const chosenName = name.value;
    wrong.hidden = true;
    working(true);
    try {
      show(await api.save({ name: chosenName, replace, ...body }), chosenName);
    } catch (error) {
      done.hidden = true;
      complain(error);
    } finally { working(false); }
  }

  function working(on) {
    save.setAttribute("aria-disabled", String(on));
    form.classList.toggle("busy", on);
    save.lastElementChild.textContent = on ? "Saving …" : "Save";
  }

  function complain(error) {
    const ask = error.status === 409;
    wrong.replaceChildren(el("p", { text: error.message }), ...(ask ? [el("div", { class: "panel-row" },
      button("Replace them", { class: "danger", on: { click: () => send(true) } }),
      button("Keep them", { on: { click: () => { wrong.hidden = true; name.focus(); name.select(); } } }))] : []));
    wrong.hidden = false;
    if (ask) wrong.querySelector("button").focus();
  }

  function show(saved, chosenName) {
    const copy = button("Copy", { label: "Copy the command", on: { click: () => copyText(saved.next, copy) } });
    done.replaceChildren(
      el("p", {}, el("strong", { text: "Saved. " }), plural(saved.candidates, "candidate") + " in " + chosenName + ".manifest."),
      el("ul", { class: "save-files" }, saved.files.map((one) => el("li", {}, el("code", { text: nameOf(one.path), title: one.path }), el("span", { text: one.about })))),
      el("p", { class: "save-next-name", text: "Label them with" }),
      el("div", { class: "save-next" }, el("code", { text: saved.next, tabIndex: 0 }), copy),
    );
    done.hidden = false;
    say("Saved " + plural(saved.candidates, "candidate") + ".");
    done.scrollIntoView({ block: "nearest" });
  }

  for (const event of ["info", "classes", "selection"]) store.on(event, render);
  render();
}

async function copyText(text, control) {
  try {
    await navigator.clipboard.writeText(text);
    control.textContent = "Copied";
    say("Copied.");
    setTimeout(() => { control.textContent = "Copy"; }, 2000);
  } catch {  // only where the page is not secure, as over plain HTTP from another machine
    const code = control.parentElement.querySelector("code");
    getSelection().selectAllChildren(code);
    tell("The browser does not let this page copy: the command is marked, press Ctrl C.");
  }
}

// ---- downloads

const quoted = (value) => (/[",\r\n]/.test(value) ? "\"" + value.replaceAll("\"", "\"\"") + "\"" : value);
const csv = (rows) => rows.map((row) => row.map((value) => quoted(String(value ?? ""))).join(",") + "\n").join("");

/** Seeds as `gandt select --seeds` reads them; uploads and texts have no place to point to. */
export function seedsCsv(store) {
  const rows = [];
  for (const one of store.state.classes) for (const { ref, uri } of one.seeds) if (ref.uri ?? uri) rows.push([ref.uri ?? uri, one.name]);
  const left = store.seedCount() - rows.length;
  if (left) tell(plural(left, "seed") + " left out: " + (left === 1 ? "it is" : "they are") + " no file of the pool. Save on the server to keep them.");
  return csv([["image_path", "label"], ...rows]);
}

export function candidatesCsv(store) {
  const rows = store.state.selection.candidates.map((one) => [one.uri, one.class, one.rank, one.score, one.similarity, one.seed.uri ?? one.seed.text ?? "", one.why]);
  return csv([["uri", "class", "rank", "score", "similarity", "seed", "why"], ...rows]);
}

function download(fileName, text) {
  const address = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  const link = el("a", { href: address, download: fileName });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
