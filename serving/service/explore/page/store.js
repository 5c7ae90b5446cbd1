/* What the page knows: classes with their seeds, what is set aside, options, the selection, the view.

   Changes go through the methods below and are told by events: `classes` (classes, seeds, the active
   class), `aside`, `options`, `selection`, `busy`, `view`, `size` (of tiles), `info`, and `open` (somebody
   wants to see an image large). Classes and what is set aside are never changed in place, so that a step back is the earlier
   value itself. What somebody has gathered is kept by the browser, apart for each index. */

import { seedPicture, thumb } from "./api.js";
import { browserMemory, fingerprint, keep, recall } from "./memory.js";

// The palette of Okabe and Ito (2008), told apart by most kinds of color blindness, with the ink that is
// readable on each. Gray is for the class of what is not wanted.
const COLORS = [
  ["#e69f00", "#000000"], ["#56b4e9", "#000000"], ["#009e73", "#000000"], ["#f0e442", "#000000"],
  ["#0072b2", "#ffffff"], ["#d55e00", "#000000"], ["#cc79a7", "#000000"],
];
const GRAY = ["#9a9a9a", "#000000"];
const STEPS = 200;  // how many steps back are remembered
const NAME_LENGTH = 200;
const SIZE_KEY = "gandt explore tile size";

export const VIEWS = ["pool", "results", "candidates", "map"];
export const DEFAULTS = Object.freeze({
  budget: 500, strategy: "auto", diversity: 0, explore: 0, min_similarity: null, per_class: null,
  quotas: null, duplicates: null, random_seed: 0,
});
const OPTIONS = {  // what a change of one is called
  budget: "The number of images was changed", strategy: "The strategy was changed", diversity: "The variety was changed",
  explore: "The share drawn at random was changed", min_similarity: "The least similarity was changed",
  duplicates: "What counts as a near-copy was changed",
};

/** A text that is the same for the same image or text, to find a ref by. */
export function refKey(ref) {
  for (const kind of ["id", "uri", "image", "text", "upload", "ids"]) {
    if (ref && ref[kind] !== undefined && ref[kind] !== null) return kind + ":" + ref[kind];
  }
  return "";
}

/** The ref alone, as the service takes it: what the page remembers beside it is left out. */
export function plainRef(ref) {
  for (const kind of ["id", "uri", "image", "text"]) {
    if (ref[kind] !== undefined && ref[kind] !== null) return { [kind]: ref[kind] };
  }
  return {};
}

export class Store {
  constructor(memory = browserMemory()) {
    this.memory = memory;
    this.listeners = new Map();
    this.past = [];
    this.kept = true;  // whether the browser could keep everything
    this.state = {
      info: null, view: "pool", query: null, classes: [], active: null, setAside: new Set(),
      options: { ...DEFAULTS }, selection: null, busy: false, tileSize: this.memory.get(SIZE_KEY) || 150,
    };
  }

  /** Call `fn(detail)` at an event; gives a function that ends that. */
  on(event, fn) {
    if (!this.listeners.has(event)) this.listeners.set(event, new Set());
    this.listeners.get(event).add(fn);
    return () => this.listeners.get(event).delete(fn);
  }

  emit(event, detail) {
    for (const fn of [...(this.listeners.get(event) || [])]) fn(detail);
  }

  // ---- the beginning

  /** Begin with what the service says: the seeds that it was given, and what was gathered here before. */
  begin(info) {
    this.state.info = info;
    const before = recall(this.memory, info);
    // Given seeds that are new come first; those of last time were here already, and may have been removed.
    if (!before || before.given !== fingerprint(info.seeds)) this.takeGiven();
    if (before) this.takeKept(before);
    this.state.active = this.classNamed(before?.active)?.name ?? this.state.classes[0]?.name ?? null;
    this.past = [];
    this.changed("info", "classes", "aside", "options");
  }

  /** Forget what was gathered, and begin again with the seeds of the service (can be undone). */
  reset() {
    this.step("Everything was cleared");
    Object.assign(this.state, { classes: [], setAside: new Set() });
    this.takeGiven();
    this.state.active = this.state.classes[0]?.name ?? null;
    this.changed("classes", "aside");
  }

  takeGiven() {
    for (const [name, refs] of Object.entries(this.state.info.seeds || {})) {
      const seeds = refs.map((ref) => ({ ref: plainRef(ref), thumb: typeof ref.id === "number" ? thumb(ref.id, 128) : ref.uri ? seedPicture(ref.uri) : null }));
      this.state.classes = [...this.state.classes, this.newClass(name, seeds)];
    }
  }

  takeKept(before) {
    for (const one of before.classes) {
      const seeds = one.seeds.filter((seed) => refKey(seed.ref) && this.classOfRef(seed.ref) === null);
      const there = this.classNamed(one.name);
      if (!there) this.state.classes = [...this.state.classes, this.newClass(one.name, seeds, one.color)];
      else this.state.classes = this.state.classes.map((each) => (each === there ? { ...each, seeds: [...each.seeds, ...seeds] } : each));
    }
    this.state.setAside = new Set(before.setAside.filter((id) => this.classOf(id) === null));
    const known = Object.entries(before.options || {}).filter(([name]) => name in DEFAULTS);
    this.state.options = { ...DEFAULTS, ...Object.fromEntries(known) };
  }

  // ---- classes

  /** Add a class; gives it. Throws an Error with a sentence where the name cannot be taken. */
  addClass(name) {
    const chosen = this.checkedName(name);
    this.step("The class “" + chosen + "” was added");
    const made = this.newClass(chosen, []);
    this.state.classes = [...this.state.classes, made];
    this.state.active = chosen;
    this.changed("classes");
    return made;
  }

  renameClass(from, to) {
    const chosen = this.checkedName(to, from);
    if (chosen === from) return;
    this.step("“" + from + "” became “" + chosen + "”");
    const { [from]: quota, ...quotas } = this.state.options.quotas ?? {};
    if (quota !== undefined) this.state.options = { ...this.state.options, quotas: { ...quotas, [chosen]: quota } };
    this.state.classes = this.state.classes.map((one) => (one.name === from ? { ...one, name: chosen } : one));
    if (this.state.active === from) this.state.active = chosen;
    this.changed(...(quota === undefined ? [] : ["options"]), "classes");
  }

  removeClass(name) {
    const at = this.state.classes.findIndex((one) => one.name === name);
    if (at < 0) return;
    this.step("The class “" + name + "” was removed");
    this.state.classes = this.state.classes.filter((one) => one.name !== name);
    if (this.state.active === name) this.state.active = this.state.classes[Math.max(0, at - 1)]?.name ?? null;
    this.changed("classes");
  }

  setActive(name) {
    if (this.state.active === name || !this.classNamed(name)) return;
    this.state.active = name;
    this.changed("classes");
  }

  classNamed(name) { return this.state.classes.find((one) => one.name === name) ?? null; }

  /** What stands for a class beside its color: the key that chooses it, then letters. */
  signOf(name) {
    const at = this.state.classes.findIndex((one) => one.name === name);
    if (at < 0) return "?";
    return at < 9 ? String(at + 1) : String.fromCharCode(65 + ((at - 9) % 26));
  }

  // ---- seeds

  /** Make an image or text a seed of a class, and of no other; the class is made where it is missing.
      `more` may hold `uri` and `name`. Gives whether anything changed. */
  addSeed(className, ref, thumb = null, more = {}) {
    const key = refKey(ref);
    if (!key || this.classOfRef(ref) === className) return false;
    const name = this.classNamed(className) ? className : this.checkedName(className);
    this.step("“" + (more.name || shown(ref, more.uri)) + "” became a seed of “" + name + "”");
    if (!this.classNamed(name)) this.state.classes = [...this.state.classes, this.newClass(name, [])];
    this.state.classes = this.state.classes.map((one) => {
      const seeds = one.seeds.filter((seed) => refKey(seed.ref) !== key);
      if (one.name === name) return { ...one, seeds: [...seeds, { ref: plainRef(ref), thumb, ...more }] };
      return seeds.length === one.seeds.length ? one : { ...one, seeds };
    });
    this.state.active = name;
    const events = ["classes"];
    if (this.state.setAside.has(ref.id)) {
      this.state.setAside = without(this.state.setAside, ref.id);
      events.push("aside");
    }
    this.changed(...events);
    return true;
  }

  removeSeed(className, index) {
    const one = this.classNamed(className);
    const seed = one?.seeds[index];
    if (!seed) return;
    this.step("“" + (seed.name || shown(seed.ref, seed.uri)) + "” is no seed of “" + className + "” any more");
    this.dropSeed(refKey(seed.ref));
    this.changed("classes");
  }

  /** Take out what the pool does not hold any more: seeds, and ids that were set aside. */
  dropGone(refs, ids) {
    for (const ref of refs) this.dropSeed(refKey(ref));
    for (const id of ids) this.state.setAside = without(this.state.setAside, id);
    this.past = [];  // no step back leads there
    this.changed("classes", "aside");
  }

  /** Add a seed, or take it away where it is one of that class already; gives whether it is one now. */
  toggleSeed(className, ref, thumb = null, more = {}) {
    if (this.classOfRef(ref) !== className) return this.addSeed(className, ref, thumb, more);
    const index = this.classNamed(className).seeds.findIndex((seed) => refKey(seed.ref) === refKey(ref));
    this.removeSeed(className, index);
    return false;
  }

  /** The name of the class that an image is a seed of; null where of none. */
  classOf(id) { return this.seedIndex().get("id:" + id) ?? null; }

  classOfRef(ref) { return this.seedIndex().get(refKey(ref)) ?? null; }

  seedCount() { return this.state.classes.reduce((sum, one) => sum + one.seeds.length, 0); }

  /** Seeds as the service takes them; classes without any are left out. */
  seeds() {
    const wanted = this.state.classes.filter((one) => one.seeds.length);
    return Object.fromEntries(wanted.map((one) => [one.name, one.seeds.map((seed) => plainRef(seed.ref))]));
  }

  // ---- set aside: never to be chosen

  setAside(id, name = "") {
    if (this.state.setAside.has(id)) return false;
    this.step("“" + (name || "image " + id) + "” was set aside");
    const events = ["aside"];
    if (this.classOf(id) !== null) {
      this.dropSeed("id:" + id);
      events.push("classes");
    }
    this.state.setAside = new Set(this.state.setAside).add(id);
    this.changed(...events);
    return true;
  }

  takeBack(id, name = "") {
    if (!this.state.setAside.has(id)) return false;
    this.step("“" + (name || "image " + id) + "” was taken back");
    this.state.setAside = without(this.state.setAside, id);
    this.changed("aside");
    return true;
  }

  // ---- options, selection, view

  setOption(name, value) {
    if (this.state.options[name] === value) return;
    const what = OPTIONS[name] ?? OPTIONS.budget;
    if (this.past.at(-1)?.what !== what) this.step(what);  // a slider that is drawn is one change
    this.state.options = { ...this.state.options, [name]: value };
    this.changed("options");
  }

  /** What the service chose, as it answers; null for nothing. */
  setSelection(selection) {
    this.state.selection = selection;
    this.chosen = new Map((selection?.candidates || []).map((one) => [one.id, one]));
    this.emit("selection");
  }

  /** The candidate that an image is; null where it is none. */
  candidateOf(id) { return this.chosen?.get(id) ?? null; }

  setBusy(busy) {
    if (this.state.busy === busy) return;
    this.state.busy = busy;
    this.emit("busy");
  }

  /** Show a view; `query` is what `results` are to resemble: a ref, an uploaded one with `name` and `thumb`;
      or {ids, name}, images to be listed as they are. */
  setView(view, query = null) {
    const wanted = VIEWS.includes(view) && !(view === "results" && !query) ? view : "pool";
    const same = wanted === this.state.view && refKey(query) === refKey(this.state.query);
    this.state.view = wanted;
    if (wanted === "results") this.state.query = query;
    if (!same) this.emit("view");
  }

  /** The least side of a tile in CSS pixels, for every grid. */
  setTileSize(size) {
    this.state.tileSize = size;
    this.memory.set(SIZE_KEY, size);
    this.emit("size");
  }

  /** Show an image large. `sequence` is what the arrow keys walk: {length, at(i) -> Promise<image>}. */
  open(image, sequence = null, index = -1) { this.emit("open", { image, sequence, index }); }

  // ---- the way back

  /** What `undo` would take back, as a sentence; null where there is nothing. */
  get undoable() { return this.past.at(-1)?.what ?? null; }

  /** Take the last change of classes, seeds, what is set aside or options back; gives what it was, or null. */
  undo() {
    const step = this.past.pop();
    if (!step) return null;
    const { what, ...before } = step, options = before.options !== this.state.options;
    Object.assign(this.state, before);
    this.changed("classes", "aside");
    if (options) this.emit("options", true);  // even a field that has the focus shows what it was
    return what;
  }

  step(what) {
    const { classes, active, setAside, options } = this.state;
    this.past.push({ what, classes, active, setAside, options });
    if (this.past.length > STEPS) this.past.shift();
  }

  // ---- within

  seedIndex() {
    if (this.indexed?.classes !== this.state.classes) {
      const found = new Map();
      for (const one of this.state.classes) for (const seed of one.seeds) found.set(refKey(seed.ref), one.name);
      this.indexed = { classes: this.state.classes, found };
    }
    return this.indexed.found;
  }

  dropSeed(key) {
    this.state.classes = this.state.classes.map((one) => {
      const seeds = one.seeds.filter((seed) => refKey(seed.ref) !== key);
      return seeds.length === one.seeds.length ? one : { ...one, seeds };
    });
  }

  newClass(name, seeds, before = null) {
    if (name === (this.state.info?.other ?? "Other")) return { name, color: GRAY[0], ink: GRAY[1], seeds };
    const used = this.state.classes.map((one) => one.color);
    const times = ([color]) => used.filter((one) => one === color).length;
    const least = Math.min(...COLORS.map(times));
    const [color, ink] = COLORS.find((one) => one[0] === before) ?? COLORS.find((one) => times(one) === least);
    return { name, color, ink, seeds };
  }

  checkedName(name, but = null) {
    const chosen = String(name).trim().replace(/\s+/g, " ");
    if (!chosen) throw new Error("A class needs a name.");
    if (chosen.length > NAME_LENGTH) throw new Error("The name of a class has at most " + NAME_LENGTH + " characters.");
    if (chosen !== but && this.classNamed(chosen)) throw new Error("There is a class “" + chosen + "” already.");
    return chosen;
  }

  changed(...events) {
    if (this.state.info) this.kept = keep(this.memory, this.state);
    for (const event of events) this.emit(event);
  }
}

function without(set, one) {
  const rest = new Set(set);
  rest.delete(one);
  return rest;
}

function shown(ref, uri) {
  if (ref.text) return ref.text;
  const name = (uri || ref.uri || "").split(/[/#]/).pop();
  return name || (ref.image ? "your image" : "image " + ref.id);
}

export const store = new Store();
