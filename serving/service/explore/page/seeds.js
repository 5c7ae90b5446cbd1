/* Classes and their seeds: named, added, renamed and removed here; each with a strip of its seeds, onto
   which files and pictures of the grid can be dropped. */

import { thumb } from "./api.js";
import { button, el, icon, nameOf, number, plural, say, sign, tell } from "./dom.js";
import { undo as takeBack } from "./keys.js";
import { imageQuery } from "./search.js";

const DROPPED = "application/x-gandt-image";  // what a grid says of a picture that is dragged

export function mount(element, store) {
  const hint = el("p", { class: "panel-hint" });
  const list = el("ul", { class: "classes" });
  const name = el("input", { type: "text", maxLength: 200, autocomplete: "off", placeholder: "A class to look for", "aria-label": "Name of a new class" });
  const wrong = el("p", { class: "panel-bad", role: "alert", hidden: true });
  const other = button("", { class: "quiet seeds-other", on: { click: () => store.addClass(store.state.info.other) } });
  const form = el("form", { class: "class-new" }, name, button("Add", { type: "submit", icon: "plus" }));
  const aside = el("p", { class: "seeds-aside", hidden: true });
  element.classList.add("seeds");
  element.replaceChildren(
    el("div", { class: "panel-head" }, el("h2", { text: "Classes and seeds" })), hint, list, form, wrong, other, aside,
  );
  const opened = { renaming: null };

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    try {
      store.addClass(name.value);
      name.value = "";
      wrong.hidden = true;
    } catch (error) { complain(wrong, error); }
  });
  name.addEventListener("input", () => { wrong.hidden = true; });

  const back = () => takeBack(store);

  // ---- drawing it anew: the focus stays where it was

  function render() {
    const { classes, info, setAside } = store.state;
    const spot = focusKey(list);
    list.replaceChildren(...classes.map((one) => classCard(one)));
    if (spot) giveFocus(list, spot);
    hint.textContent = said(store);
    hint.hidden = !hint.textContent;
    const contrast = info?.other ?? "Other";
    other.replaceChildren(icon("plus"), el("span", { text: contrast + ": what is not wanted" }));
    other.hidden = !info || Boolean(store.classNamed(contrast));
    aside.hidden = !setAside.size;
    aside.replaceChildren(plural(setAside.size, "image") + " set aside, never chosen. ", button("Show", {
      class: "link", label: "Show what is set aside",
      on: { click: () => store.setView("results", { ids: [...setAside], name: plural(setAside.size, "image") + " set aside" }) },
    }));
  }

  function classCard(one) {
    const active = store.state.active === one.name, contrast = one.name === store.state.info?.other;
    const files = el("input", { type: "file", accept: "image/*", multiple: true, hidden: true, tabIndex: -1, "aria-hidden": "true" });
    files.addEventListener("change", () => { addFiles(store, one.name, [...files.files]); files.value = ""; });
    const title = opened.renaming === one.name ? renameForm(one) : button("", {
      class: "class-name", "aria-pressed": String(active), data: { focus: "name " + one.name }, title: active ? one.name : "Make " + one.name + " the active class",
      on: { click: () => store.setActive(one.name), dblclick: () => rename(one.name) },
    });
    if (opened.renaming !== one.name) title.append(el("bdi", { text: one.name }));
    const head = el("div", { class: "class-head" }, sign(store, one.name), title,
      el("span", { class: "class-count", text: number(one.seeds.length), title: plural(one.seeds.length, "seed"), role: "img", "aria-label": plural(one.seeds.length, "seed") }),
      button("", { icon: "image", label: "Add files to " + one.name, class: "quiet", data: { focus: "file " + one.name }, on: { click: () => files.click() } }),
      button("", { icon: "pencil", label: "Rename " + one.name, class: "quiet", data: { focus: "pen " + one.name }, on: { click: () => rename(one.name) } }),
      button("", { icon: "trash", label: "Remove the class " + one.name, class: "quiet", data: { focus: "bin " + one.name }, on: { click: () => remove(one) } }), files);
    const card = el("li", { class: "class-card" + (active ? " active" : ""), data: { class: one.name }, style: { "--class": one.color, "--class-ink": one.ink } }, head,
      contrast ? el("p", { class: "class-about", text: "What is not wanted: images like these are passed over." }) : null, strip(one));
    takesDrops(card, store, one.name);
    return card;
  }

  function remove(one) {
    store.removeClass(one.name);
    tell("The class “" + one.name + "” was removed" + (one.seeds.length ? " with " + plural(one.seeds.length, "seed") : "") + ".", { action: ["Undo", back] });
  }

  // ---- renaming

  function rename(from) {
    opened.renaming = from;
    render();
    const field = list.querySelector(".class-rename input");
    field?.focus();
    field?.select();
  }

  function renameForm(one) {
    const field = el("input", { type: "text", value: one.name, maxLength: 200, autocomplete: "off", "aria-label": "New name of " + one.name });
    const bad = el("p", { class: "panel-bad", role: "alert", hidden: true });
    const made = el("form", { class: "class-rename" }, field, bad);
    const end = (save) => {
      if (opened.renaming !== one.name) return;
      const had = made.contains(document.activeElement);
      if (save) {
        try { store.renameClass(one.name, field.value); } catch (error) { complain(bad, error); return; }
      }
      const to = store.classNamed(field.value.trim().replace(/\s+/g, " ")) && save ? field.value.trim().replace(/\s+/g, " ") : one.name;
      opened.renaming = null;
      render();
      if (had) giveFocus(list, "name " + to);
    };
    made.addEventListener("submit", (event) => { event.preventDefault(); end(true); });
    field.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key === "Escape") { event.preventDefault(); end(false); }
    });
    field.addEventListener("blur", () => setTimeout(() => { if (made.isConnected && !made.contains(document.activeElement)) end(bad.hidden); }));
    return made;
  }

  // ---- seeds: the newest first

  function strip(one) {
    if (!one.seeds.length) {
      const key = store.signOf(one.name);
      return el("p", { class: "class-empty", text: "Press " + key + " on an image, or drop images or files here." });
    }
    const row = el("ul", { class: "strip", "aria-label": "Seeds of " + one.name });
    for (let at = one.seeds.length - 1; at >= 0; at -= 1) row.append(el("li", {}, seedTile(one, at)));
    const first = row.querySelector("button");
    first.tabIndex = 0;
    row.addEventListener("keydown", (event) => walk(event, row));
    return row;
  }

  function seedTile(one, at) {
    const seed = one.seeds[at], shown = seedName(seed);
    const made = button("", {
      label: "Remove the seed " + shown + " from " + one.name, class: "seed-tile", tabIndex: -1, title: shown + ": click to remove it",
      data: { focus: "seed " + one.name + " " + at }, on: { click: () => drop(one.name, at) },
    });
    const address = Number.isInteger(seed.ref.id) ? thumb(seed.ref.id, 128) : seed.thumb;  // not of an edition before
    const picture = address ? el("img", { src: address, alt: "", decoding: "async", loading: "lazy" }) : null;
    picture?.addEventListener("error", () => picture.replaceWith(el("span", { class: "seed-text", text: shown })));
    made.append(picture ?? el("span", { class: "seed-text", text: seed.ref.text ? "“" + seed.ref.text + "”" : shown }));
    made.append(el("span", { class: "seed-cross" }, icon("close")));
    return made;
  }

  function drop(className, at) {
    const left = store.classNamed(className).seeds.length - 1;
    const shown = seedName(store.classNamed(className).seeds[at]);
    const had = list.contains(document.activeElement);
    store.removeSeed(className, at);
    if (had) giveFocus(list, left ? "seed " + className + " " + Math.max(0, Math.min(at, left) - (at === left ? 1 : 0)) : "name " + className);
    say("“" + shown + "” is no seed of “" + className + "” any more.");
  }

  function walk(event, row) {
    const all = [...row.querySelectorAll(".seed-tile")], at = all.indexOf(event.target.closest(".seed-tile"));
    const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: all.length - 1 }[event.key];
    if (to !== undefined && all[to]) {
      event.preventDefault();
      for (const one of all) one.tabIndex = one === all[to] ? 0 : -1;
      all[to].focus();
    } else if (event.key === "Delete" || event.key === "Backspace") {
      event.preventDefault();
      all[at].click();
    } else return;
    event.stopPropagation();
  }

  for (const event of ["classes", "aside", "info"]) store.on(event, render);
  render();
}

function said(store) {
  const { classes, info } = store.state;
  if (!info) return "";
  if (!classes.length) return "Name what you are looking for.";
  const wanted = classes.filter((one) => one.name !== info.other);
  if (!wanted.length) return info.other + " alone is nothing to look for: add a class.";
  if (!wanted.some((one) => one.seeds.length)) return "Give a class its first seed: candidates follow at once.";
  return store.kept ? "" : "The browser cannot keep this much: files that you dropped are gone after a reload.";
}

export function seedName(seed) {
  return seed.ref.text ?? (seed.name || nameOf(seed.uri ?? seed.ref.uri) || (seed.ref.image ? "your image" : "image " + seed.ref.id));
}

function complain(box, error) {
  box.textContent = error.message;
  box.hidden = false;
}

function focusKey(root) { return root.contains(document.activeElement) ? document.activeElement.dataset?.focus : null; }

function giveFocus(root, key) {
  const found = [...root.querySelectorAll("[data-focus]")].find((node) => node.dataset.focus === key);
  if (!found) return;
  if (found.classList.contains("seed-tile")) {
    for (const one of found.closest(".strip").querySelectorAll(".seed-tile")) one.tabIndex = one === found ? 0 : -1;
  }
  found.focus({ preventScroll: true });
}

// ---- files and pictures that are dropped

function takesDrops(card, store, className) {
  const fits = (event) => event.dataTransfer && [...event.dataTransfer.types].some((type) => type === "Files" || type === DROPPED);
  const over = (on) => card.classList.toggle("over", on);
  card.addEventListener("dragover", (event) => {
    if (!fits(event)) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
    over(true);
  });
  card.addEventListener("dragleave", (event) => { if (!card.contains(event.relatedTarget)) over(false); });
  card.addEventListener("drop", (event) => {
    over(false);
    if (!fits(event)) return;
    event.preventDefault();
    const told = event.dataTransfer.getData(DROPPED);
    if (!told) { addFiles(store, className, [...event.dataTransfer.files]); return; }
    try {
      const { id, uri } = JSON.parse(told);
      if (Number.isInteger(id)) store.addSeed(className, { id }, thumb(id, 128), { uri, name: nameOf(uri) });
    } catch { /* not one of our pictures */ }
  });
}

/** Make files seeds of a class. */
export async function addFiles(store, className, files) {
  for (const file of files) {
    try {
      const { image, thumb: picture, name } = await imageQuery(file, store.state.info?.limits?.image_bytes);
      const added = store.addSeed(className, { image }, picture, { name });
      say(added ? "“" + name + "” is a seed of “" + className + "” now." : "“" + name + "” is a seed of it already.");
    } catch (error) { tell(error.message, { kind: "bad" }); }
  }
}
