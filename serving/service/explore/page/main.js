/* The page: its parts are put together, and its address says what is shown.

   The address is `#pool`, `#results?id=12`, `#candidates` or `#map`, with `open=34` for an image that is
   open large, so that the browser's way back is the page's way back. */

import { ApiError, api, isAbort, onWaiting } from "./api.js";
import * as candidates from "./candidates.js";
import { mountDetail } from "./detail.js";
import { $, button, el, gridCell, icon, later, number, plural, say, tell } from "./dom.js";
import { Grid } from "./grid.js";
import { mountKeys, newClass, pick, standardTile, undo } from "./keys.js";
import * as map from "./map.js";
import * as save from "./save.js";
import { aboutPool, mountBox, mountResults, queryName } from "./search.js";
import * as seeds from "./seeds.js";
import { VIEWS, refKey, store } from "./store.js";

const SIZES = [72, 88, 104, 124, 150, 180, 216, 260, 320];  // of tiles, in CSS pixels
const CHECKED = 500;  // seeds of last time that are looked at
const TITLES = { pool: "Pool", results: "Results", candidates: "Candidates", map: "Map" };

let pool = null;
let results = null;
let detail = null;
const held = new Map();  // queries that are too long for an address, by what stands for them there
let holding = 0;
let following = false;  // whether a view is shown because the address says so

// ---- the address

function address(view, query, open = null) {
  const said = new URLSearchParams();
  if (view === "results" && query) {
    if (query.text) said.set("text", query.text);
    else if (query.image || query.ids) said.set("kept", numberOf(query));
    else if (query.id !== undefined) said.set("id", String(query.id));
    else said.set("uri", query.uri);
  }
  if (open !== null) said.set("open", String(open));
  const rest = said.toString();
  return "#" + view + (rest ? "?" + rest : "");
}

function numberOf(query) {
  for (const [key, one] of held) if (refKey(one) === refKey(query)) return key;
  const key = Date.now().toString(36) + "-" + (holding += 1);
  held.set(key, query);
  if (held.size > 20) held.delete(held.keys().next().value);
  return key;
}

function read() {
  const [view, rest = ""] = location.hash.slice(1).split("?", 2);
  const said = new URLSearchParams(rest);
  const whole = (name) => (/^\d{1,15}$/.test(said.get(name) ?? "") ? Number(said.get(name)) : null);
  let query = null;
  if (said.get("text")) query = { text: said.get("text") };
  else if (whole("id") !== null) query = { id: whole("id") };
  else if (said.get("uri")) query = { uri: said.get("uri") };
  else if (said.get("kept")) query = held.get(said.get("kept")) ?? null;
  return { view: VIEWS.includes(view) ? view : "pool", query, open: whole("open"), lost: said.has("kept") && !query };
}

async function follow() {
  const wanted = read();
  following = true;
  if (wanted.open === null) detail.close(true);
  if (wanted.lost) {
    globalThis.history.replaceState(null, "", "#pool");
    tell("What this address showed was only known to the page before it was loaded again.");
    store.setView("pool");
  } else {
    const same = wanted.query && refKey(wanted.query) === refKey(store.state.query);
    store.setView(wanted.view, same ? store.state.query : wanted.query);
  }
  following = false;
  if (wanted.open !== null && detail.current?.id !== wanted.open) await detail.visit(wanted.open);
}

const past = {
  opened(id, instead) {
    const to = address(store.state.view, store.state.query, id);
    if (location.hash === to) return;
    const depth = globalThis.history.state?.depth ?? 0;
    if (instead) globalThis.history.replaceState({ depth }, "", to);
    else globalThis.history.pushState({ depth: depth + 1 }, "", to);
  },
  closed({ sequence, index }, already) {
    const depth = globalThis.history.state?.depth ?? 0;
    if (!already) {
      if (depth) globalThis.history.go(-depth);
      else globalThis.history.replaceState(null, "", address(store.state.view, store.state.query));
    }
    if (sequence instanceof Grid && sequence.element.clientHeight) sequence.focus(index);
  },
};

// ---- views

function showView() {
  const { view, query } = store.state;
  for (const name of VIEWS) {
    $("view-" + name).hidden = name !== view;
    const tab = $("tab-" + name);
    if (name === view) tab.setAttribute("aria-current", "page");
    else tab.removeAttribute("aria-current");
  }
  $("tab-results").hidden = !query;
  if (query) $("tab-results").href = address("results", query);
  document.title = (view === "results" && query ? queryName(query) : TITLES[view]) + " – " + (store.state.info?.name ?? "") + " – G&T";
  $("size").disabled = view === "map";
  if (view === "results") results.show(query);
  if (view === "pool") pool.layout();
}

function viewChanged() {
  const was = document.activeElement;
  const inStage = !was || was === document.body || $("stage").contains(was) || $("detail").contains(was);
  if (!following) {
    const to = address(store.state.view, store.state.query);
    if (location.hash !== to) globalThis.history.pushState(null, "", to);
  }
  showView();
  const grid = { pool, results: results.grid }[store.state.view];
  if (inStage && grid) requestAnimationFrame(() => grid.focus());
  if (!following || store.state.view !== "results") say(TITLES[store.state.view]);
}

function counts() {
  const { info, classes, selection, setAside } = store.state;
  $("count-pool").textContent = number(info.images);
  $("count-candidates").textContent = selection ? number(selection.candidates.length) : "";
  const parts = [plural(classes.length, "class", "classes"), plural(store.seedCount(), "seed")];
  if (selection) parts.push(plural(selection.candidates.length, "candidate"));
  if (setAside.size) parts.push(number(setAside.size) + " set aside");
  $("panel-summary").textContent = classes.length ? parts.join(" · ") : "Name what you are looking for";
  $("pool-guide-words").textContent = guide();
  $("pool-guide").hidden = !guide();
  $("pool-guide-go").hidden = classes.length > 0;
  $("undo").disabled = store.undoable === null;
  $("undo").title = store.undoable === null ? "Nothing to undo" : "Undo: " + store.undoable + " (u)";
}

/** What to do next, for those who never were here; nothing once it was done. */
function guide() {
  const { classes, info, active } = store.state, one = store.classNamed(active);
  if (!info.images || store.seedCount()) return "";
  if (!classes.length) return "Open an image to see what is most like it; to have such images chosen, name what you are looking for.";
  return "Press " + store.signOf(one.name) + " on an image that shows “" + one.name + "”, or point at the image and take the button: candidates follow at once.";
}

function redraw() {
  pool.update();
  results.grid.update();
  counts();
}

// ---- the frame

function mountFrame() {
  const sizes = $("size");
  Object.assign(sizes, { min: "0", max: String(SIZES.length - 1), step: "1" });
  const nearest = () => SIZES.reduce((best, size, at) => (Math.abs(size - store.state.tileSize) < Math.abs(SIZES[best] - store.state.tileSize) ? at : best), 0);
  const follow = () => {
    sizes.value = String(nearest());
    sizes.setAttribute("aria-valuetext", SIZES[nearest()] + " pixels");
  };
  sizes.addEventListener("input", () => store.setTileSize(SIZES[Number(sizes.value)]));
  store.on("step-size", (by) => store.setTileSize(SIZES[Math.max(0, Math.min(SIZES.length - 1, nearest() + by))]));
  store.on("size", () => { follow(); pool.setSize(store.state.tileSize); results.grid.setSize(store.state.tileSize); });
  follow();

  $("pool-guide-go").addEventListener("click", () => newClass(store));
  $("undo").addEventListener("click", () => undo(store));
  const showHelp = mountKeys(store, $("help"));
  $("help-open").addEventListener("click", showHelp);
  $("skip").addEventListener("click", (event) => {
    event.preventDefault();
    (gridCell() ?? $("stage")).focus();
  });

  const toggle = $("panel-toggle");
  const open = (on) => { $("panel").classList.toggle("open", on); toggle.setAttribute("aria-expanded", String(on)); };
  toggle.addEventListener("click", () => open(!$("panel").classList.contains("open")));
  $("panel").addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || event.defaultPrevented) return;
    const sheet = toggle.checkVisibility();
    if (sheet) open(false);
    (sheet ? toggle : gridCell())?.focus();
  });
  store.on("panel", open);

  onWaiting((seconds) => {
    const bar = $("waiting");
    bar.hidden = !seconds;
    bar.textContent = seconds ? "The service is busy. Trying again in " + plural(Math.ceil(seconds), "second") + " …" : "";
    if (seconds) say(bar.textContent);
  });
  const busy = later(() => $("busy").classList.toggle("on", store.state.busy), 120);  // what is quick needs no sign
  store.on("busy", busy);
}

function poolGrid() {
  return new Grid($("pool-grid"), {
    total: store.state.info.images, label: "Pool", size: store.state.tileSize, tile: (image) => standardTile(store, image),
    fetch: async (start, count, signal) => (await api.images(start, count, signal)).images,
    onOpen: (image, index) => store.open(image, pool, index), onPick: (image, what) => pick(store, image, what),
  });
}

/** What was kept has to be what it was: an index of the same name can be another, images leave a pool,
    and seeds beside the pool are known to the service only while it is told of them. */
async function checkKept() {
  const { info, classes, setAside } = store.state;
  const given = new Set(Object.values(info.seeds || {}).flat().map((ref) => ref.uri));
  const kept = classes.flatMap((one) => one.seeds);
  const gone = kept.filter((seed) => seed.ref.uri && !given.has(seed.ref.uri));
  const left = [];
  const seeds = kept.filter((one) => typeof one.ref.id === "number").slice(0, CHECKED), aside = [...setAside].slice(0, CHECKED);
  try {
    const there = await api.known([...new Set([...seeds.map((one) => one.ref.id), ...aside])]);
    gone.push(...seeds.filter(({ ref, uri }) => !there.has(ref.id) || (uri !== undefined && there.get(ref.id).uri !== uri)));
    left.push(...aside.filter((id) => !there.has(id)));
  } catch { /* a service that cannot say is asked when something is selected */ }
  if (!gone.length && !left.length) return;
  store.dropGone(gone.map((seed) => seed.ref), left);
  if (gone.length) tell(plural(gone.length, "seed") + " of last time left the pool and " + (gone.length === 1 ? "was" : "were") + " taken out.");
}

function failure(error) {
  const strange = !(error instanceof ApiError);
  $("boot").replaceChildren(icon("warn"), el("h2", { text: strange ? "This page could not start" : "The pool cannot be shown" }),
    el("p", { text: strange ? "Load it again; if that does not help, the browser may be too old: " + error.message : error.message }),
    button("Try again", { on: { click: () => location.reload() } }));
  $("boot").hidden = false;
  say(error.message);
}

async function start() {
  const info = await api.info();
  store.begin(info);
  $("name").textContent = info.name;
  $("pool-about").textContent = aboutPool(info);
  mountFrame();
  results = mountResults(store, api);
  pool = poolGrid();
  detail = mountDetail($("detail"), store, api, past);
  mountBox(store);
  store.emit("info");
  if (!info.images) {
    $("pool-empty").hidden = false;
    $("pool-grid").hidden = true;
  }
  for (const event of ["classes", "aside", "selection"]) store.on(event, redraw);
  store.on("options", counts);
  store.on("view", viewChanged);
  store.on("open", ({ image, sequence, index }) => detail.show(image, sequence, index));
  seeds.mount($("panel-seeds"), store, api);
  candidates.mount($("candidates"), store, api);
  save.mount($("panel-save"), store, api);
  map.mount($("map"), store, api);
  addEventListener("popstate", follow);
  counts();
  $("boot").hidden = true;
  $("views").hidden = false;
  $("panel").hidden = false;
  await follow();
  showView();
  document.documentElement.dataset.ready = "yes";
  checkKept();
}

start().catch((error) => { if (!isAbort(error)) failure(error); });
