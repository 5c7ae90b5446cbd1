/* The view of candidates: by class, each with how near it is and to which seed; near-copies set aside behind
   it; one key or button makes it a seed or sets it aside. */

import { thumb } from "./api.js";
import { button, el, icon, nameOf, number, plural, say, sign, similarity, took } from "./dom.js";
import { Grid } from "./grid.js";
import { pick, standardTile } from "./keys.js";
import { live, wanted } from "./live.js";

export function mountView(element, store) {
  const shown = { of: null, open: new Set(), list: [], near: null };
  const chips = el("div", { class: "found-chips", role: "group", "aria-label": "Candidates by class" });
  const about = el("p", { class: "about found-about" });
  const all = button("", { class: "found-all", hidden: true, on: { click: () => live.all() } });
  const empty = el("div", { class: "found-empty" });
  const field = el("div", { class: "found-grid" });
  const detail = el("div", { class: "found-detail", hidden: true });
  element.classList.add("found");
  element.replaceChildren(el("div", { class: "found-head" }, chips, about, all), empty, field, detail);

  const grid = new Grid(field, {
    label: "Candidates", size: store.state.tileSize, fetch: async (start, count) => shown.list.slice(start, start + count),
    tile: (image) => tile(image), onOpen: (image, index) => store.open(image, grid, index), onPick: (image, what) => act(image, what),
  });

  // ---- what a tile says

  function tile(image) {
    const made = standardTile(store, image);
    if (image.copyOf) {
      return { ...made, caption: "copy", words: [...made.words, "near-copy of " + nameOf(image.copyOf.uri)] };
    }
    const copies = image.duplicates.length, opened = shown.open.has(image.id);
    const words = [...made.words, "similar to " + seedWords(image), ...(copies ? [plural(copies, "near-copy", "near-copies") + " set aside"] : []), ...(image.why === "explore" ? ["drawn at random"] : [])];
    const picks = [...made.picks];
    if (copies) picks.push({ what: "copies", sign: (opened ? "−" : "+") + copies, on: opened, name: opened ? "Hide its near-copies" : "Show its " + plural(copies, "near-copy", "near-copies") });
    const caption = similarity(image.similarity) + (copies ? " · +" + plural(copies, "copy", "copies") : "") + (image.why === "explore" ? " · random" : "");
    return { ...made, caption, words, picks };
  }

  function act(image, what) {
    if (what !== "copies") { pick(store, image, what); return; }
    if (shown.open.has(image.id)) shown.open.delete(image.id); else shown.open.add(image.id);
    say(shown.open.has(image.id) ? plural(image.duplicates.length, "near-copy", "near-copies") + " of it shown." : "Near-copies hidden.");
    fill(shown.list.findIndex((one) => one.id === image.id), true);
  }

  field.addEventListener("keydown", (event) => {
    const image = event.target.cell?.image;
    if (!image || event.ctrlKey || event.metaKey || event.altKey) return;
    if ((event.key === "a" || event.key === "A") && image.class) {
      const at = store.state.classes.findIndex((one) => one.name === image.class);
      if (at >= 0 && store.classOf(image.id) !== image.class) pick(store, image, at + 1);
    } else if (event.key === "d" && image.duplicates?.length) act(image, "copies");
    else return;
    event.preventDefault();
    event.stopPropagation();
  });

  // ---- which seed it resembles

  function seedOf(image) {
    const { seed } = image, all = store.classNamed(image.class)?.seeds ?? [];
    const key = Object.entries(seed ?? {}).find(([, value]) => value !== null && value !== undefined);
    const same = all.find(({ ref, uri }) => key && (ref[key[0]] === key[1] || (key[0] === "uri" && uri === key[1])));
    const picture = same?.thumb ?? (Number.isInteger(seed?.id) ? thumb(seed.id, 128) : null);
    const name = seed?.text ? "“" + seed.text + "”" : same?.name || nameOf(seed?.uri ?? same?.uri) || (seed?.upload ? "your image" : "image " + seed?.id);
    return { picture, name };
  }

  const seedWords = (image) => "the seed " + seedOf(image).name;

  function near(image) {
    if (shown.near === image) return;
    shown.near = image;
    detail.hidden = !image;
    if (!image) return;
    const candidate = image.copyOf ?? image, { picture, name } = seedOf(candidate);
    const strategy = store.state.info.strategies.find((one) => one.name === candidate.why);
    const why = candidate.why === "explore" ? "drawn at random, whatever its score" : strategy ? strategy.name + ": " + strategy.about : candidate.why;
    detail.replaceChildren(...[
      el("img", { class: "found-pair", src: thumb(image.id, 128), alt: "" }),
      el("span", { class: "found-like", "aria-hidden": "true", text: "≈" }),
      picture ? el("img", { class: "found-pair seedlike", src: picture, alt: "" }) : el("span", { class: "found-text", text: name }),
      el("div", { class: "found-words" },
        el("p", {}, el("strong", {}, el("bdi", { text: nameOf(image.uri) })), image.copyOf ? " is a near-copy of " : " resembles ", el("bdi", { text: image.copyOf ? nameOf(candidate.uri) : name }), image.copyOf ? "" : ", a seed of ", image.copyOf ? null : el("bdi", { text: candidate.class })),
        el("p", { class: "about", text: [image.copyOf ? null : "similarity " + similarity(candidate.similarity), "rank " + number(candidate.rank), why].filter(Boolean).join(" · ") })),
      el("p", { class: "found-keys about" }, el("kbd", { text: "A" }), " accept  ", el("kbd", { text: "0" }), " set aside  ", el("kbd", { text: "1" }), "–", el("kbd", { text: "9" }), " to a class",
        candidate.duplicates.length ? ["  ", el("kbd", { text: "D" }), " copies"] : null),
    ].filter(Boolean));
  }
  field.addEventListener("pointerover", (event) => { const cell = event.target.closest?.(".cell")?.cell; if (cell?.image) near(cell.image); });
  field.addEventListener("focusin", (event) => {
    const cell = event.target.closest?.(".cell")?.cell;
    if (cell) grid.at(cell.index).then((image) => { if (cell.node === document.activeElement && image) near(image); }, () => {});
  });

  // ---- the list

  /** Classes that were looked for, and are still there. */
  function named() {
    const asked = new Set(store.state.selection?.classes);
    return store.state.classes.map((one) => one.name).filter((name) => asked.has(name));
  }

  function fill(index = 0, focus = false) {
    const { selection } = store.state;
    const byClass = new Map(named().map((name) => [name, []]));  // in the order of the panel
    for (const one of selection?.candidates ?? []) if (shown.of === null || one.class === shown.of) byClass.get(one.class)?.push(one);
    const wantedOnes = [...byClass.values()].flat();
    shown.list = wantedOnes.flatMap((one) => (shown.open.has(one.id)
      ? [one, ...one.duplicates.map((copy) => ({ width: null, height: null, ...copy, copyOf: one }))] : [one]));
    grid.setData({ total: shown.list.length, fetch: async (start, count) => shown.list.slice(start, start + count), label: "Candidates" + (shown.of ? " for " + shown.of : ""), index: Math.min(Math.max(0, index), Math.max(0, shown.list.length - 1)) });
    if (focus && shown.list.length) grid.at(grid.place).then(() => grid.focus());
  }

  function render() {
    const { selection } = store.state;
    const names = named();
    if (shown.of !== null && !names.includes(shown.of)) shown.of = null;
    const had = field.contains(document.activeElement), at = grid.place;
    shown.near = null;
    detail.hidden = true;
    fill(at, had);
    const count = (name) => selection.candidates.filter((one) => name === null || one.class === name).length;
    const focused = chips.contains(document.activeElement) ? [...chips.children].indexOf(document.activeElement) : -1;
    chips.replaceChildren(...(selection ? [null, ...names].map((name) => chip(name, count(name))) : []));
    chips.hidden = names.length < 2;
    if (focused >= 0) chips.children[focused]?.focus();
    about.textContent = selection ? [plural(selection.candidates.length, "candidate") + (selection.whole ? "" : ", the first of " + number(wanted(store))), took(selection.took_ms), ...selection.notes].join(" · ") : "";
    all.hidden = !selection || selection.whole;
    all.textContent = "All " + number(wanted(store));
    field.hidden = !shown.list.length;
    empty.hidden = !field.hidden;
    if (!empty.hidden) drawEmpty();
    busy();
  }

  function drawEmpty() {
    const { selection, busy: waiting } = store.state;
    const words = live.error ? ["The candidates could not be chosen", live.error.message]
      : waiting && !selection ? ["Looking for candidates …", ""]
      : selection ? ["No candidates", selection.notes.join(" ") || "Nothing in the pool fits."]
      : ["No candidates yet", "Give a class its first seed: press 1 on an image of the pool that shows it. Images like it appear here at once."];
    empty.replaceChildren(icon(live.error ? "warn" : "grid"), el("h3", { text: words[0] }), el("p", { text: words[1] }),
      live.error ? button("Try again", { on: { click: () => live.again() } }) : button("To the pool", { on: { click: () => store.setView("pool") } }));
  }

  function chip(name, count) {
    const made = button("", {
      class: "chip" + (shown.of === name ? " on" : ""), "aria-pressed": String(shown.of === name),
      on: { click: () => { shown.of = name; render(); } },
    });
    made.append(...[name === null ? null : sign(store, name), el("bdi", { text: name ?? "All" }), el("span", { class: "chip-count", text: number(count) })].filter(Boolean));
    return made;
  }

  function busy() {
    element.classList.toggle("busy", store.state.busy);
    field.setAttribute("aria-busy", String(store.state.busy));
    if (!empty.hidden) drawEmpty();
  }

  store.on("selection", render);
  store.on("classes", () => { grid.update(); if (!store.state.selection) render(); });
  store.on("aside", () => grid.update());
  store.on("busy", busy);
  store.on("size", () => grid.setSize(store.state.tileSize));
  store.on("view", () => { if (store.state.view === "candidates") requestAnimationFrame(() => { grid.layout(); grid.focus(); }); });
  store.on("candidates-of", (name) => { shown.of = name; render(); });
  render();
  return { grid };
}
