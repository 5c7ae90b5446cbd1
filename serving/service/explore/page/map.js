// The map of the pool in the page: tools and legend around the picture, what the store says of seeds,
// candidates and classes as marks, and what somebody takes on the map as views of the store.

import { isAbort, pause, thumb } from "./api.js";
import { button, el, nameOf, number, plural, say, sign, similarity, tell } from "./dom.js";
import { pick } from "./keys.js";
import { lookOf } from "./map_colors.js";
import { Points } from "./map_space.js";
import { MapView } from "./map_view.js";

const MOST_LISTED = 5000;  // images that a view of the grid gets
const HELP = "Arrows move the map, plus and minus zoom, Home shows all of it. The image nearest to the middle is in focus: "
  + "Enter opens it, 1 to 9 make it a seed, 0 sets it aside, N shows its neighbors, L lists what is in view.";

export function mount(element, store, api) {
  const parts = build(element);
  const map = { head: null, points: null, isolated: null, images: new Map(), opened: null };
  const view = new MapView(parts.frame, parts.dots, parts.marks, {
    thumb,
    open: (id) => open(id),
    focus: (place) => showCard(place),
    taken: (places) => { setMode("move"); list(places, "on the map"); },
    key: (event, place) => key(event, place),
    settled: () => settled(),
  });
  Object.defineProperty(element, "map", { value: view });  // for those who measure

  // ---- the points, once the map is seen for the first time
  let asked = false;
  new ResizeObserver(() => {
    if (asked || !element.clientWidth) return;
    asked = true;
    load().catch((error) => { if (!isAbort(error)) failed(error); });
  }).observe(element);

  async function load() {
    parts.wait.hidden = false;
    parts.again.hidden = true;
    parts.waiting.textContent = "Getting the map …";
    let head = await api.map();
    while (!head.ready) {
      parts.waiting.textContent = "The map is being made: " + head.about;
      await pause(1.5);
      head = await api.map();
    }
    const points = new Points(await api.mapPoints(), head.points);
    Object.assign(map, { head, points });
    parts.wait.hidden = true;
    relook();
    remark();
    view.setPoints(points);
    describe();
  }

  function failed(error) {
    parts.waiting.textContent = error.message;
    parts.again.hidden = false;
    say(error.message);
  }
  parts.again.addEventListener("click", () => load().catch(failed));

  function describe() {
    const { head, points } = map;
    const of = head.points < head.total ? number(head.points) + " of " + plural(head.total, "image") + ", drawn evenly." : plural(head.total, "image") + ".";
    const near = " Near on the map is mostly alike to the model.";
    const kept = head.explained ? " The two axes hold " + Math.round(100 * (head.explained[0] + head.explained[1])) + " % of the variance." : "";
    parts.about.textContent = of + near + kept;
    parts.about.title = head.about;
    parts.marks.setAttribute("aria-label", "Map of " + plural(points.count, "image"));
  }

  // ---- colors, legend, marks
  const dark = matchMedia("(prefers-color-scheme: dark)");
  dark.addEventListener("change", () => relook());

  function relook() {
    if (!map.head) return;
    const colors = new Map(store.state.classes.map((one) => [one.name, one.color]));
    view.look = lookOf(map.head.labels, colors, map.isolated, dark.matches);
    view.allowed = map.isolated === null ? () => true : (place) => map.points.label[place] === map.isolated;
    legend();
    view.wake();
  }

  function legend() {
    const { labels } = map.head, counts = map.points.counts(labels.length), had = document.activeElement?.dataset?.label;
    const row = (name, at) => button("", {
      class: "map-class", "aria-pressed": String(map.isolated === at), data: { label: String(at) },
      on: { click: () => { map.isolated = map.isolated === at ? null : at; relook(); said(name, counts[at]); } },
    });
    const rows = labels.map((name, at) => [name, at + 1]).concat(counts[0] && labels.length ? [["no known class", 0]] : []).filter(([, at]) => counts[at]);
    parts.legend.replaceChildren(...rows.map(([name, at]) => {
      const made = row(name, at);
      const color = at ? view.look.labels[at] : view.look.colors[0];
      made.append(el("span", { class: "map-swatch", style: { "--swatch": color } }), el("span", { class: "map-name", text: name }), el("span", { class: "map-count", text: number(counts[at]) }));
      return made;
    }));
    if (had) parts.legend.querySelector("[data-label='" + had + "']")?.focus();
    parts.classes.hidden = !rows.length;
  }

  function said(name, count) {
    say(map.isolated === null ? "All classes are shown." : "Only “" + name + "” is shown: " + plural(count, "image") + ".");
  }

  function remark() {
    if (!map.points) return;
    const marks = [], place = (id) => map.points.place(id);
    const known = new Map(store.state.classes.map((one) => [one.name, { color: one.color, ink: one.ink, letter: store.signOf(one.name) }]));
    for (const one of store.state.selection?.candidates ?? []) {
      const of = known.get(one.class);
      if (of && !store.classOf(one.id) && !store.state.setAside.has(one.id)) marks.push({ kind: "candidate", place: place(one.id), ...of });
    }
    const candidates = marks.length;
    for (const one of store.state.classes) {
      for (const { ref, id = ref.id } of one.seeds) if (Number.isInteger(id)) marks.push({ kind: "seed", place: place(id), ...known.get(one.name) });
    }
    view.marks = marks.filter((mark) => mark.place >= 0);
    parts.key.hidden = !view.marks.length;
    const seeds = view.marks.filter((mark) => mark.kind === "seed").length;  // others are files outside of the pool
    parts.key.classList.toggle("map-seedless", !seeds);
    parts.keySeeds.textContent = plural(seeds, "seed");
    parts.keyCandidates.textContent = plural(candidates, "candidate");
    view.wake(false);
  }
  store.on("classes", () => { relook(); remark(); });
  store.on("selection", remark);
  store.on("aside", remark);
  store.on("open", ({ image }) => { if (image && map.points) view.opened = map.points.place(image.id); view.wake(false); });
  store.on("view", () => { if (store.state.view === "map") requestAnimationFrame(() => view.fit()); });

  // ---- the card of the image in focus
  let wanted = -1;
  function showCard(place) {
    wanted = place;
    parts.card.hidden = true;
    if (place < 0) return;
    const id = map.points.id[place];
    parts.picture.removeAttribute("src");  // or the one before stays until the next is there
    parts.picture.src = thumb(id, 256);
    words(place);
    if (!map.images.has(id)) {
      clearTimeout(showCard.timer);
      showCard.timer = setTimeout(() => learn(id).then(() => { if (wanted === place) words(place); }, () => {}), 60);
    }
    parts.card.hidden = false;
    stand(place);
  }

  function words(place) {
    const id = map.points.id[place], image = map.images.get(id), at = map.points.label[place];
    const candidate = store.candidateOf(id), seed = store.classOf(id);
    parts.cardName.textContent = image ? nameOf(image.uri) : "image " + id;
    const lines = [];
    if (at) lines.push(el("span", { class: "map-line" }, el("span", { class: "map-swatch", style: { "--swatch": view.look.labels[at] } }), map.head.labels[at - 1]));
    if (seed) lines.push(el("span", { class: "map-line" }, sign(store, seed), "seed of " + seed));
    else if (store.state.setAside.has(id)) lines.push(el("span", { class: "map-line", text: "set aside" }));
    else if (candidate) lines.push(el("span", { class: "map-line" }, sign(store, candidate.class), candidate.class + "? " + similarity(candidate.similarity)));
    parts.cardLines.replaceChildren(...lines);
  }

  function stand(place) {  // beside the dot, within the frame
    if (parts.card.hidden) return;
    const [x, y, half] = view.spot(place), { width, height } = view.camera;
    const [w, h] = [parts.card.offsetWidth, parts.card.offsetHeight];
    const left = x + half + 12 + w < width ? x + half + 12 : x - half - 12 - w;
    const top = Math.max(6, Math.min(height - h - 6, y - h / 2));
    parts.card.style.transform = "translate(" + Math.round(Math.max(6, Math.min(width - w - 6, left))) + "px," + Math.round(top) + "px)";
  }
  parts.picture.addEventListener("load", () => { if (wanted >= 0) stand(wanted); });
  parts.picture.addEventListener("error", () => { parts.picture.removeAttribute("src"); });

  async function learn(id) {
    if (!map.images.has(id)) map.images.set(id, await api.image(id));
    return map.images.get(id);
  }

  // ---- what is done to images
  async function open(id) {
    try { store.open(await learn(id)); } catch (error) { tell(error.message, { kind: "bad" }); }
  }

  function key(event, place) {
    if (event.key === "l" || event.key === "L") { listView(); return true; }
    if (event.key === "Escape" && view.mode !== "move") { setMode("move"); return true; }
    if (place < 0) return false;
    const id = map.points.id[place];
    if (event.key === "Enter" || event.key === " ") open(id);
    else if (/^[1-9]$/.test(event.key)) act(id, Number(event.key));
    else if (event.key === "0" || event.key === "Delete") act(id, "aside");
    else if (event.key === "n" || event.key === "N") act(id, "near");
    else return false;
    return true;
  }

  async function act(id, what) {
    try {
      pick(store, await learn(id), what);
      if (wanted >= 0) words(wanted);
    } catch (error) { tell(error.message, { kind: "bad" }); }
  }

  function list(places, where) {
    if (!places.length) { tell("There is no image in this region."); return; }
    const ids = places.slice(0, MOST_LISTED).map((place) => map.points.id[place]);
    if (ids.length < places.length) tell("The first " + number(ids.length) + " of " + number(places.length) + " are listed: zoom in for the others.");
    store.setView("results", { ids, name: plural(ids.length, "image") + " " + where });
  }
  const listView = () => { if (map.points) list(view.inView(), "in view on the map"); };

  let told = "";
  function settled() {
    if (!map.points) return;
    const count = view.countInView(), line = plural(count, "image") + " in view";
    parts.count.textContent = number(count) + " in view";
    parts.list.disabled = !count;
    if (wanted >= 0) stand(wanted);
    if (!view.byKeys) return;
    const id = view.focus >= 0 ? map.points.id[view.focus] : -1;
    const speak = () => {
      const at = map.points.label[map.points.place(id)], name = nameOf(map.images.get(id)?.uri);
      const text = [name, at && map.head.labels[at - 1], line].filter(Boolean).join(", ");
      if (text !== told) say(told = text);
    };
    if (id >= 0) learn(id).then(speak, () => {}); else say(line);
  }

  // ---- tools
  function setMode(mode) {
    view.mode = mode;
    parts.frame.dataset.mode = mode;
    parts.box.setAttribute("aria-pressed", String(mode === "box"));
    parts.lasso.setAttribute("aria-pressed", String(mode === "lasso"));
  }
  const by = (change) => () => { change(); view.wake(); };
  parts.nearer.addEventListener("click", by(() => view.camera.zoomAt(1.8)));
  parts.farther.addEventListener("click", by(() => view.camera.zoomAt(1 / 1.8)));
  parts.whole.addEventListener("click", by(() => view.camera.fit()));
  for (const mode of ["box", "lasso"]) {
    parts[mode].addEventListener("click", () => {
      setMode(view.mode === mode ? "move" : mode);
      if (view.mode !== "move") say(mode === "box" ? "Drag a box around images." : "Draw a line around images.");
    });
  }
  parts.pictures.addEventListener("change", () => { view.always = parts.pictures.checked; view.wake(); });
  parts.list.addEventListener("click", listView);
}

function build(element) {
  const canvas = (options) => el("canvas", options);
  const parts = {
    dots: canvas({ class: "map-dots", "aria-hidden": "true" }),
    marks: canvas({ class: "map-marks", tabIndex: 0, role: "application", "aria-label": "Map of the pool", "aria-describedby": "map-help" }),
    picture: el("img", { alt: "" }), cardName: el("strong"), cardLines: el("div"),
    waiting: el("p", { role: "status" }), again: button("Try again", { hidden: true }),
    nearer: button("", { icon: "plus", label: "Zoom in (+)" }), farther: button("−", { label: "Zoom out (−)" }),
    whole: button("All", { label: "Show the whole map (Home)" }),
    box: button("Box", { "aria-pressed": "false", title: "Drag a box around images to list them (or drag with Shift)" }),
    lasso: button("Lasso", { "aria-pressed": "false", title: "Draw a line around images to list them" }),
    pictures: el("input", { type: "checkbox" }), list: button("List", { disabled: true, title: "Show the images in view in the grid (L)" }),
    count: el("span", { class: "map-counted" }), about: el("p", { class: "map-about" }), legend: el("div", { class: "map-rows" }),
    keySeeds: el("span"), keyCandidates: el("span"),
  };
  parts.card = el("div", { class: "map-card", hidden: true, "aria-hidden": "true" }, parts.picture, parts.cardName, parts.cardLines);
  parts.wait = el("div", { class: "map-wait" }, parts.waiting, parts.again);
  parts.frame = el("div", { class: "map-frame", data: { mode: "move" } }, parts.dots, parts.marks, parts.wait);
  parts.key = el("p", { class: "map-key", hidden: true }, el("span", { class: "map-ring", "aria-hidden": "true" }), parts.keySeeds, el("span", { class: "map-dot", "aria-hidden": "true" }), parts.keyCandidates);
  parts.classes = el("details", { class: "map-legend", open: innerWidth > 700, hidden: true }, el("summary", { text: "Known classes" }), parts.legend);
  const tools = el("div", { class: "map-tools", role: "toolbar", "aria-label": "Map" },
    el("div", { class: "map-group" }, parts.farther, parts.whole, parts.nearer),
    el("div", { class: "map-group" }, parts.box, parts.lasso),
    el("label", { class: "map-check" }, parts.pictures, "Pictures everywhere"),
    el("div", { class: "map-shown" }, parts.count, parts.list));
  parts.frame.append(parts.about, parts.key, parts.classes, parts.card);
  element.replaceChildren(el("div", { class: "map" }, tools, parts.frame, el("p", { id: "map-help", class: "map-help", text: HELP })));
  return parts;
}
