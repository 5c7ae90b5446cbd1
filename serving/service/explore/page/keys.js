/* What keys, buttons and tiles mean everywhere: giving images to classes, setting aside, the step back, help. */

import { thumb } from "./api.js";
import { $, button, el, isWriting, nameOf, say, similarity, tell } from "./dom.js";

const OFF = "gandt explore letters off";  // whether single letters do nothing

const HELP = [
  ["In the grid", [
    ["← ↑ → ↓", "move"],
    ["PageUp, PageDown", "move far"],
    ["Home, End", "begin and end of the row"],
    ["Ctrl Home, Ctrl End", "begin and end of everything"],
    ["Enter", "open the image"],
    ["1 to 9", "make it a seed of that class, or no seed any more"],
    ["0 or Delete", "set it aside, or take it back"],
    ["n", "show the images most like it"],
  ]],
  ["In the candidates, as well", [
    ["a", "accept: make it a seed of the class it was chosen for"],
    ["d", "show or hide its near-copies"],
  ]],
  ["On the map", [
    ["← ↑ → ↓", "move"],
    ["+ −", "nearer, farther"],
    ["Home", "all of it"],
    ["Shift drag", "list the images within a box"],
    ["l", "list the images in view"],
    ["Enter, 1 to 9, 0, n", "for the image in the middle, as in the grid"],
  ]],
  ["With an image open", [
    ["← →", "the one before, the next"],
    ["1 to 9, 0, n", "as in the grid"],
    ["z", "larger"],
    ["Esc", "close"],
  ]],
  ["Anywhere", [
    ["/", "search"],
    ["p r c m", "pool, results, candidates, map"],
    ["u or Ctrl Z", "undo"],
    ["+ −", "larger and smaller tiles"],
    ["?", "this help"],
  ]],
];

/** What a tile shows of an image: which seed or candidate it is, whether it was set aside, its similarity. */
export function standardTile(store, image) {
  const { state } = store;
  const seedOf = store.classOf(image.id);
  const candidate = seedOf === null ? store.candidateOf(image.id) : null;
  const named = seedOf ?? candidate?.class ?? null;
  const one = named === null ? null : store.classNamed(named);
  const aside = state.setAside.has(image.id);
  const near = similarity(image.similarity);
  const words = [];
  if (seedOf !== null) words.push("seed of " + seedOf);
  else if (candidate) words.push("candidate for " + candidate.class);
  if (aside) words.push("set aside");
  if (near) words.push("similarity " + near);
  const picks = state.classes.slice(0, 9).map((each, at) => ({
    what: at + 1, sign: String(at + 1), color: each.color, ink: each.ink, on: each.name === seedOf,
    name: each.name === seedOf ? "No seed of " + each.name + " any more" : "Seed of " + each.name,
  }));
  picks.push({ what: "aside", icon: "aside", on: aside, name: aside ? "Take back" : "Set aside" });
  picks.push({ what: "near", icon: "near", name: "Show the images most like it" });
  return {
    mark: named === null ? null : { kind: seedOf !== null ? "seed" : "candidate", color: one?.color ?? "#9a9a9a", ink: one?.ink ?? "#000000", sign: store.signOf(named) },
    caption: near, aside, words, picks,
  };
}

/** Do with an image what somebody picked: `what` is the number of a class from 1, "aside" or "near". */
export function pick(store, image, what) {
  const name = nameOf(image.uri);
  if (what === "near") { store.setView("results", { id: image.id, name, uri: image.uri }); return; }
  if (what === "aside") {
    const there = store.state.setAside.has(image.id);
    if (there) store.takeBack(image.id, name);
    else store.setAside(image.id, name);
    changed(store, there ? name + " was taken back." : name + " was set aside: it will not be chosen.");
    return;
  }
  const one = store.state.classes[what - 1];
  if (!one) { needClass(store, what); return; }
  give(store, one.name, { id: image.id }, thumb(image.id, 128), { uri: image.uri, name });
}

/** Make something a seed of a class, or no seed any more. */
export function give(store, className, ref, picture, more) {
  let now = false;
  try {
    now = store.toggleSeed(className, ref, picture, more);
  } catch (error) {
    tell(error.message, { kind: "bad" });
    return;
  }
  changed(store, now ? more.name + " is a seed of " + className + "." : more.name + " is no seed of " + className + " any more.");
  if (!store.kept) tell("The browser could not keep all uploaded images: after a reload they will be missing. Save soon.", { kind: "bad" });
}

function needClass(store, what) {
  const { length } = store.state.classes;
  if (length) tell("There is no class " + what + ": you have " + length + ".", { action: ["Add a class", () => newClass(store)] });
  else {
    for (const open of document.querySelectorAll("dialog[open]")) open.close();
    tell("Name what you are looking for first. Esc leads back to the images.");
    newClass(store);
  }
}

/** Take somebody to where classes are named. */
export function newClass(store) {
  store.emit("panel", true);
  const field = document.querySelector("#panel-seeds input[type='text'], #panel-seeds input:not([type])");
  const opener = document.querySelector("#panel-seeds button");
  (field ?? opener ?? $("panel")).focus();
}

function changed(store, text) { tell(text, { action: ["Undo", () => undo(store)] }); }

export function undo(store) {
  const what = store.undo();
  if (what === null) say("There is nothing to undo.");
  else tell("Undone: " + what.charAt(0).toLowerCase() + what.slice(1) + ".");
}

/** Listen for keys that work anywhere. `help` is the dialog to fill; `store` knows the rest. */
export function mountKeys(store, help) {
  const letters = () => store.memory.get(OFF) !== true;
  const box = el("input", { type: "checkbox", checked: letters(), on: { change: () => store.memory.set(OFF, !box.checked) } });
  const close = button("", { icon: "close", label: "Close", class: "quiet", on: { click: () => help.close() } });
  help.replaceChildren(
    el("div", { class: "dialog-head" }, el("h2", { id: "help-title", text: "Keys" }), close),
    el("div", { class: "help-body" }, HELP.map(([title, keys]) => el("section", {}, el("h3", { text: title }),
      el("dl", { class: "keys" }, keys.map(([key, what]) => el("div", {}, el("dt", {}, key.split(/( to |, | or | )/).map((part, at) => (at % 2 ? part : el("kbd", { text: part })))), el("dd", { text: what }))))))),
    el("label", { class: "check" }, box, "Single letters work anywhere on the page"),
  );
  help.addEventListener("click", (event) => { if (event.target === help) help.close(); });

  const show = () => { if (!help.open) { box.checked = letters(); help.showModal(); close.focus(); } };
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.isComposing || isWriting(event.target)) return;
    if ((event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey && event.key.toLowerCase() === "z") {
      event.preventDefault();
      undo(store);
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || !letters()) return;
    if (event.key === "?") { event.preventDefault(); show(); return; }
    if (event.key === "u") { event.preventDefault(); undo(store); return; }
    if (document.querySelector("dialog[open]")) return;
    const view = { p: "pool", r: "results", c: "candidates", m: "map" }[event.key];
    if (view === "results" && !store.state.query) say("There are no results yet.");
    else if (view) store.setView(view, store.state.query);
    else if (event.key === "/") document.querySelector("#search input:not(:disabled):not([type='file']), #search button")?.focus();
    else if (event.key === "+" || event.key === "=" || event.key === "-") store.emit("step-size", event.key === "-" ? -1 : 1);
    else return;
    event.preventDefault();
  });
  return show;
}
