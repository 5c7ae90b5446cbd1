/* Searching: by text where the model knows texts, by an image that was chosen, dropped or pasted, by an
   image of the pool. An image is shrunk here where it is large, so that little has to be sent. */

import { ApiError, isAbort, sizeFor, thumb } from "./api.js";
import { $, button, el, gridCell, icon, nameOf, number, plural, say, sign, took } from "./dom.js";
import { Grid } from "./grid.js";
import { give, pick, standardTile } from "./keys.js";
import { refKey } from "./store.js";

const LARGEST = 1024;  // pixels of the longer side of what is sent
const THUMB = 160;
const STEPS = [60, 200, 1000];  // how many results are asked for, one after the other
const KEPT = 12;  // searches that going back finds as they were
const IMAGES = /\.(jpe?g|png|gif|webp|bmp|tiff?|avif|heic|jp2)$/i;

/** Make a query of a file: its bytes in base64, a small picture, its name. Throws an Error with a sentence. */
export async function imageQuery(blob, limit = Infinity) {
  const name = blob.name || "pasted image";
  let bitmap = null;
  try {
    bitmap = await createImageBitmap(blob);
  } catch {
    // The service may know formats that browsers do not.
    if (!blob.type.startsWith("image/") && !IMAGES.test(name)) throw new Error("“" + name + "” is not an image.");
    if (blob.size > limit) throw new Error("“" + name + "” is too large, and this browser cannot read it to make it smaller.");
    return { image: await base64(blob), thumb: null, name };
  }
  try {
    const small = Math.max(bitmap.width, bitmap.height) <= LARGEST && blob.size <= Math.min(limit, 2_000_000);
    const sent = small ? blob : await shrunk(bitmap, LARGEST, 0.92);
    return { image: await base64(sent), thumb: "data:image/jpeg;base64," + await base64(await shrunk(bitmap, THUMB, 0.85)), name };
  } finally {
    bitmap.close();
  }
}

async function shrunk(bitmap, side, quality) {
  const scale = Math.min(1, side / Math.max(bitmap.width, bitmap.height));
  const canvas = el("canvas", { width: Math.max(1, Math.round(bitmap.width * scale)), height: Math.max(1, Math.round(bitmap.height * scale)) });
  const context = canvas.getContext("2d");
  context.fillStyle = "#ffffff";  // what is transparent is white, as the pool has it
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve, reject) => canvas.toBlob((made) => (made ? resolve(made) : reject(new Error("The image could not be made smaller."))), "image/jpeg", quality));
}

function base64(blob) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result).split(",", 2)[1] ?? "");
    reader.onerror = () => reject(new Error("The file could not be read."));
    reader.readAsDataURL(blob);
  });
}

/** What a query is called. */
export const queryName = (query) => (query.text ? "“" + query.text + "”" : query.name || nameOf(query.uri) || "image " + query.id);

/** The box in the head of the page, and files that come by mouse, clipboard or hand. */
export function mountBox(store) {
  const form = $("search");
  const field = $("search-text");
  const chooser = $("search-file");
  const note = $("search-note");
  const veil = $("drop");

  function complain(text) {
    note.textContent = text;
    note.hidden = !text;
    note.classList.toggle("bad", Boolean(text));
    if (text) say(text);
  }

  function told() {
    const { info } = store.state;
    field.disabled = !info.text;
    field.placeholder = info.text ? "Search, as “rust on steel”" : "This model knows no texts: search by image";
    $("search-go").hidden = !info.text;
    if (!info.text) field.title = "The model of this index (" + info.model + ") knows no texts: search with an image instead.";
    $("search-why").textContent = field.title;
  }

  async function take(files) {
    const [first, ...rest] = [...files];
    if (!first) return;
    complain("");
    form.classList.add("busy");
    try {
      const query = await imageQuery(first, store.state.info?.limits?.image_bytes);
      store.setView("results", query);
      if (rest.length) complain("One image at a time: “" + query.name + "” was taken.");
    } catch (error) {
      complain(error.message);
    } finally {
      form.classList.remove("busy");
      chooser.value = "";
    }
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    complain("");
    const text = field.value.trim();
    if (text) store.setView("results", { text });
  });
  $("search-choose").addEventListener("click", () => chooser.click());
  chooser.addEventListener("change", () => take(chooser.files));
  field.addEventListener("keydown", (event) => {
    if (event.key === "Escape") { complain(""); gridCell()?.focus(); }
  });
  document.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files || [])];
    if (!files.length) return;
    event.preventDefault();
    take(files);
  });

  // A file over the page: all of it is the place to drop.
  let over = 0;
  const isFile = (event) => [...(event.dataTransfer?.types || [])].includes("Files");
  const cover = (on) => { veil.hidden = !on; if (!on) over = 0; };
  document.addEventListener("dragenter", (event) => { if (isFile(event)) { over += 1; cover(true); } });
  document.addEventListener("dragleave", (event) => { if (isFile(event) && (over -= 1) <= 0) cover(false); });
  document.addEventListener("dragover", (event) => { if (isFile(event) && !event.defaultPrevented) { event.preventDefault(); event.dataTransfer.dropEffect = "copy"; } });
  document.addEventListener("drop", (event) => {
    if (!isFile(event)) return;
    cover(false);
    if (event.defaultPrevented) return;  // a class took it
    event.preventDefault();
    for (const open of document.querySelectorAll("dialog[open]")) open.close();
    take(event.dataTransfer.files);
  });

  store.on("info", told);
  store.on("view", () => {
    complain("");
    field.value = store.state.view === "results" ? store.state.query?.text ?? "" : "";
  });
}

/** The view of results. Gives {grid, show(query)}. */
export function mountResults(store, api) {
  const [head, state] = [$("results-head"), $("results-state")];
  const before = new Map();  // what earlier searches found, by query
  let running = null;
  let shown = null;

  const grid = new Grid($("results-grid"), {
    label: "Results", size: store.state.tileSize, tile: (image) => standardTile(store, image),
    onOpen: (image, index) => store.open(image, grid, index), onPick: (image, what) => pick(store, image, what),
    fetch: async () => [],
  });

  async function show(query, steps = 0) {
    const key = refKey(query);
    if (!key || (shown?.key === key && shown.steps === steps && !shown.error)) { grid.layout(); return; }
    running?.abort();
    if (shown && before.has(shown.key)) before.get(shown.key).place = grid.place;
    const kept = steps ? null : before.get(key);
    shown = { key, query, steps: kept?.steps ?? steps, error: null };
    if (kept || query.ids) { present(kept ?? listed(query, key), kept?.place ?? 0); return; }
    running = new AbortController();
    const mine = running;
    const wanted = STEPS.map((k) => Math.min(k, store.state.info?.limits?.k ?? k))[steps];
    state.hidden = true;
    grid.element.hidden = false;
    drawHead(null);
    if (!steps) grid.setData({ total: wanted, fetch: (_start, _count, signal) => never(signal), label: "Searching" });
    grid.element.setAttribute("aria-busy", "true");
    try {
      const { id, uri, image, text } = query;
      const body = text ? { text } : image ? { image } : id !== undefined ? { id } : { uri };
      const reply = await api.search({ ...body, k: wanted }, mine.signal);
      if (id !== undefined && !query.name) query.name = await nameOfId(id, mine.signal);
      const found = { ...reply, key, steps, full: reply.results.length < wanted, place: 0 };
      before.set(key, found);
      if (before.size > KEPT) before.delete(before.keys().next().value);
      present(found, steps ? grid.place : 0);
      say(plural(found.results.length, "result") + " for " + queryName(query) + ".");
    } catch (error) {
      if (isAbort(error)) return;
      shown.error = error;
      fail(error, query, steps);
    } finally {
      if (running === mine) grid.element.removeAttribute("aria-busy");
    }
  }

  /** What an image is called that the address alone named. */
  async function nameOfId(id, signal) {
    const one = await api.image(id, signal);
    return nameOf(one.uri);
  }

  /** Images that are only listed: their records are had as they are scrolled to. */
  function listed(query, key) {
    const fetch = async (start, count, signal) => {
      const wanted = query.ids.slice(start, start + count);
      const there = await api.known(wanted, signal);
      return wanted.map((id) => there.get(id) ?? { id, uri: "image " + id + ", which left the pool", width: null, height: null, label: null });
    };
    const found = { key, steps: 0, results: query.ids, fetch, full: true, place: 0, took_ms: null };
    before.set(key, found);
    return found;
  }

  function present(found, place) {
    state.hidden = found.results.length > 0;
    grid.element.hidden = !state.hidden;
    drawHead(found);
    if (!found.results.length) {
      state.replaceChildren(icon("search"), el("h3", { text: "Nothing was found" }), el("p", { text: shown.query.ids ? "There is no image here." : "The pool holds no other image to compare with." }));
    }
    grid.setData({
      total: found.results.length, fetch: found.fetch ?? (async (start, count) => found.results.slice(start, start + count)),
      label: "Results for " + queryName(shown.query), index: place,
    });
  }

  function fail(error, query, steps) {
    drawHead(null);
    head.querySelector(".about")?.remove();
    state.replaceChildren(icon("warn"), el("h3", { text: error instanceof ApiError && error.status === 422 ? "That cannot be searched for" : "The search failed" }),
      el("p", { text: error.message }), button("Try again", { on: { click: () => { shown = null; show(query, steps); } } }));
    state.hidden = false;
    grid.element.hidden = true;
    say("The search failed. " + error.message);
  }

  function drawHead(found) {
    const { query } = shown;
    const picture = query.thumb ?? (typeof query.id === "number" ? thumb(query.id, sizeFor(null, 44)) : null);
    const more = found && !found.full && found.steps < STEPS.length - 1;
    const name = query.text ? el("q", { text: query.text }) : el("bdi", { text: queryName(query) });
    head.replaceChildren(...[
      picture && el("img", { class: "query-picture", src: picture, alt: "" }),
      el("div", { class: "head-words" },
        el("h2", { id: "results-title" }, query.ids ? "" : query.text ? "Images for " : "Most like ", name),
        el("p", { class: "about", text: !found ? "Searching …" : query.ids ? "Listed as they are" : plural(found.results.length, "image") + " in " + took(found.took_ms ?? 0) })),
      more && button("More", { on: { click: () => show(query, found.steps + 1) } }),
      seedMenu(query),
    ].filter(Boolean));
  }

  /** Buttons that make the query itself a seed. */
  function seedMenu(query) {
    const { classes } = store.state;
    if (!classes.length || query.ids) return null;
    const ref = query.text ? { text: query.text } : query.image ? { image: query.image } : { id: query.id };
    const seedOf = store.classOfRef(ref);
    const picture = query.thumb ?? (typeof query.id === "number" ? thumb(query.id, 128) : null);
    return el("div", { class: "query-seed", role: "group", "aria-label": "Make what you searched with a seed" }, el("span", { class: "about", text: "Seed of" }),
      classes.slice(0, 9).map((one) => button("", {
        class: "chip" + (one.name === seedOf ? " on" : ""), label: one.name === seedOf ? "No seed of " + one.name + " any more" : "Seed of " + one.name, "aria-pressed": String(one.name === seedOf),
        on: { click: () => give(store, one.name, ref, picture, { name: queryName(query), ...(query.uri ? { uri: query.uri } : {}) }) },
      })).map((made, at) => { made.append(sign(store, classes[at].name), el("span", { text: classes[at].name })); return made; }));
  }

  store.on("classes", () => {
    if (!shown || shown.error) return;
    const focused = [...head.querySelectorAll(".chip")].indexOf(document.activeElement);
    drawHead(before.get(shown.key) ?? null);
    if (focused >= 0) head.querySelectorAll(".chip")[focused]?.focus();
  });
  return { grid, show };
}

function never(signal) {
  return new Promise((_resolve, reject) => {
    signal.addEventListener("abort", () => reject(new DOMException("Not wanted any more.", "AbortError")), { once: true });
  });
}

export const aboutPool = (info) => plural(info.total ?? info.images, "image") + " · " + info.model + " · " + number(info.dimension) + " dimensions";
