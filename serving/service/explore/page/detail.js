/* One image large: what it is, whose seed it is or may become, and what is most like it. */

import { file, isAbort, pause, retryAfter, sizeFor, thumb } from "./api.js";
import { button, el, folderOf, icon, nameOf, number, say, sign, similarity, tell } from "./dom.js";
import { give, newClass, pick } from "./keys.js";

const NEIGHBORS = 24;
const KEPT = 60;  // images whose neighbors are remembered

/** Fill the dialog. `history` is told what is open: {opened(id, instead), closed()}; `home()` gets the focus
    back when nothing else can have it. Gives {show(image, sequence, index, instead), close(), current}. */
export function mountDetail(dialog, store, api, history) {
  const known = new Map();  // the neighbors of an image, by its id
  let image = null;
  let sequence = null;
  let index = -1;
  let asking = null;
  let walking = 0;
  const hashes = new Map();  // the SHA-256 of uploaded seeds, by which a candidate names its seed
  let quiet = false;  // whether the address says already that nothing is open

  const picture = el("img", { class: "large", alt: "" });
  const stage = el("div", { class: "detail-stage", tabIndex: -1 }, picture);
  const before = button("", { icon: "left", label: "The image before", class: "detail-step before", on: { click: () => walk(-1) } });
  const next = button("", { icon: "right", label: "The next image", class: "detail-step next", on: { click: () => walk(1) } });
  const zoom = button("", { icon: "plus", label: "Larger", title: "Larger (z)", class: "detail-zoom", "aria-pressed": "false", on: { click: () => enlarge(!stage.classList.contains("zoomed")) } });
  const problem = el("p", { class: "detail-problem", hidden: true });
  const title = el("h2", { id: "detail-title" });
  const close = button("", { icon: "close", label: "Close", title: "Close (Esc)", class: "quiet", on: { click: () => leave() } });
  const facts = el("dl", { class: "facts" });
  const seeds = el("div", { class: "detail-seeds" });
  const near = el("section", { class: "detail-near", "aria-labelledby": "near-title" });
  dialog.replaceChildren(
    el("div", { class: "detail-left" }, stage, before, next, zoom, problem),
    el("div", { class: "detail-side" }, el("div", { class: "dialog-head" }, title, close), facts, seeds, near),
  );
  dialog.setAttribute("aria-labelledby", "detail-title");

  function show(wanted, from = null, at = -1, instead = false) {
    quiet = false;
    const fresh = !dialog.open;
    image = wanted;
    sequence = from;
    index = at;
    enlarge(false);
    drawPicture();
    drawFacts();
    drawSeeds();
    drawNear();
    before.hidden = !sequence || index <= 0;
    next.hidden = !sequence || index >= sequence.length - 1;
    if (fresh) {
      dialog.showModal();
      stage.focus();
    }
    history.opened(image.id, instead);
    if (!fresh) say(nameOf(image.uri) + place());
  }

  function place() { return sequence && index >= 0 ? ", " + number(index + 1) + " of " + number(sequence.length) : ""; }

  /** What the picture is taken from, best first; the next is tried where one cannot be shown. */
  function drawPicture() {
    const { id, width, height } = image;
    const sources = [file(id), thumb(id, 1024)];
    let at = 0;
    let tries = 0;
    problem.hidden = true;
    // What is there already is shown until the large one has come; small ones are enlarged, but not much.
    const measure = (wide, high) => { stage.style.setProperty("--wide", String(wide)); stage.style.setProperty("--high", String(high)); };
    measure(width || 400, height || 300);
    dialog.style.setProperty("--ratio", String((width || 4) / (height || 3)));
    picture.removeAttribute("src");
    picture.style.backgroundImage = "url('" + thumb(id, sizeFor(image, 150)) + "')";
    picture.alt = nameOf(image.uri);
    picture.onload = () => { measure(picture.naturalWidth, picture.naturalHeight); picture.style.backgroundImage = ""; };
    picture.onerror = async () => {
      at += 1;
      if (at < sources.length) { picture.src = sources[at]; return; }
      picture.removeAttribute("src");
      picture.style.backgroundImage = "";
      const mine = image;
      let why = "The picture cannot be shown.";
      try {
        const reply = await fetch(thumb(id, 1024), { credentials: "same-origin" });
        if ((reply.status === 429 || reply.status === 503) && tries++ < 3) {
          await pause(retryAfter(reply, tries));
          if (mine === image) { at = 0; picture.src = sources[0]; }
          return;
        }
        if (!reply.ok) why = (await reply.json()).error ?? why;
      } catch { /* the sentence has to do */ }
      if (mine !== image) return;
      problem.textContent = why;
      problem.hidden = false;
    };
    picture.src = sources[0];
  }

  function enlarge(on) {
    stage.classList.toggle("zoomed", on);
    zoom.setAttribute("aria-pressed", String(on));
    zoom.replaceChildren(icon(on ? "minus" : "plus"));
    if (on) stage.scrollTo((stage.scrollWidth - stage.clientWidth) / 2, (stage.scrollHeight - stage.clientHeight) / 2);
  }

  function drawFacts() {
    title.replaceChildren(el("bdi", { text: nameOf(image.uri) }));
    const rows = [];
    if (sequence && index >= 0) rows.push(["Place", number(index + 1) + " of " + number(sequence.length)]);
    if (image.width && image.height) rows.push(["Size", number(image.width) + " × " + number(image.height)]);
    const folder = folderOf(image.uri);
    if (folder) rows.push(["Folder", folder]);
    if (image.label) rows.push(["Known label", image.label]);
    const candidate = store.candidateOf(image.id);
    if (similarity(image.similarity) && candidate?.similarity !== image.similarity) rows.push(["Similarity", similarity(image.similarity)]);
    facts.replaceChildren(...rows.map(([name, value]) => el("div", {}, el("dt", { text: name }), el("dd", {}, el("bdi", { text: value, title: value })))));
    if (candidate) facts.append(el("div", {}, el("dt", { text: "Chosen" }), el("dd", {}, sign(store, candidate.class), " for " + candidate.class + ", place " + number(candidate.rank) + " (" + candidate.why + ")")));
    resembles(candidate);
  }

  /** The seed that it is most like: as the selection says, else the first seed among its neighbors. */
  function resembles(candidate) {
    facts.querySelector(".resembles")?.remove();
    let ref = candidate?.seed ?? null;
    let value = candidate?.similarity;
    if (!ref) {
      const first = known.get(image.id)?.find((one) => store.classOf(one.id) !== null);
      if (!first) return;
      [ref, value] = [{ id: first.id, uri: first.uri }, first.similarity];
    }
    const seed = seedFor(ref);
    if (ref.upload && !seed) hashUploads(ref.upload);
    const name = seed?.name || nameOf(seed?.uri || ref.uri) || (ref.text ? "“" + ref.text + "”" : ref.upload ? "an image of yours" : "image " + ref.id);
    const shown = typeof ref.id === "number" ? thumb(ref.id, 128) : seed?.thumb;
    const body = [shown ? el("img", { class: "mini", src: shown, alt: "" }) : null, el("bdi", { text: name })];
    const about = (candidate?.class ?? store.classOfRef(ref)) || "";
    facts.append(el("div", { class: "resembles" }, el("dt", { text: "Resembles" }), el("dd", {},
      typeof ref.id === "number" ? el("button", { type: "button", class: "link", on: { click: () => visit(ref.id) } }, body) : el("span", {}, body),
      el("span", { class: "about", text: [about && "seed of " + about, similarity(value)].filter(Boolean).join(", ") }))));
  }

  function seedFor(ref) {
    for (const one of store.state.classes) {
      for (const seed of one.seeds) {
        if (ref.upload ? hashes.get(seed.ref.image) === ref.upload : ref.text ? seed.ref.text === ref.text : ref.id !== undefined && seed.ref.id === ref.id) return seed;
      }
    }
    return null;
  }

  /** Find out which uploaded seed has this hash. Only pages of this machine or of https may hash. */
  async function hashUploads(wanted) {
    const uploads = store.state.classes.flatMap((one) => one.seeds.map((seed) => seed.ref.image)).filter((data) => data && !hashes.has(data));
    if (!globalThis.crypto?.subtle || !uploads.length) return;
    for (const data of uploads) {
      const digest = await crypto.subtle.digest("SHA-256", Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0)));
      hashes.set(data, [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join(""));
    }
    const candidate = image && store.candidateOf(image.id);
    if (candidate?.seed?.upload === wanted) resembles(candidate);
  }

  function drawSeeds() {
    const focused = [...seeds.querySelectorAll("button")].indexOf(document.activeElement);
    const seedOf = store.classOf(image.id);
    const aside = store.state.setAside.has(image.id);
    const name = nameOf(image.uri);
    const buttons = store.state.classes.map((one, at) => {
      const on = one.name === seedOf;
      const made = button("", { class: "chip" + (on ? " on" : ""), "aria-pressed": String(on), title: at < 9 ? "Key " + (at + 1) : "", on: { click: () => give(store, one.name, { id: image.id }, thumb(image.id, 128), { uri: image.uri, name }) } });
      made.append(sign(store, one.name), el("span", { text: one.name }));
      return made;
    });
    if (!buttons.length) buttons.push(button("Name a class", { icon: "plus", class: "chip", on: { click: () => { leave(); newClass(store); } } }));
    seeds.replaceChildren(
      el("h3", { id: "seed-of", text: "Seed of" }), el("div", { class: "chips", role: "group", "aria-labelledby": "seed-of" }, buttons),
      button(aside ? "Take back" : "Set aside", { icon: "aside", class: "chip aside" + (aside ? " on" : ""), "aria-pressed": String(aside), title: "Key 0", on: { click: () => pick(store, image, "aside") } }),
    );
    if (focused >= 0) seeds.querySelectorAll("button")[focused]?.focus();
  }

  async function drawNear() {
    asking?.abort();
    const mine = image;
    const focused = [...near.querySelectorAll(".near-tile")].indexOf(document.activeElement);
    const all = button("Show as results", { class: "quiet small", on: { click: () => { leave(); pick(store, mine, "near"); } } });
    const head = el("div", { class: "near-head" }, el("h3", { id: "near-title", text: "Most like it" }), all);
    const list = el("ul", { class: "near-list" });
    near.replaceChildren(head, list);
    let found = known.get(mine.id);
    if (!found) {
      list.append(...Array.from({ length: 8 }, () => el("li", { class: "skeleton", "aria-hidden": "true" })));
      near.setAttribute("aria-busy", "true");
      asking = new AbortController();
      const { signal } = asking;
      try {
        found = (await api.search({ id: mine.id, k: NEIGHBORS }, signal)).results;
      } catch (error) {
        if (isAbort(error) || mine !== image) return;
        near.removeAttribute("aria-busy");
        list.replaceWith(el("div", { class: "near-problem" }, icon("warn"), el("p", { text: error.message }), button("Try again", { on: { click: drawNear } })));
        return;
      }
      known.set(mine.id, found);
      if (known.size > KEPT) known.delete(known.keys().next().value);
      if (mine !== image) return;
    }
    near.removeAttribute("aria-busy");
    if (!found.length) { list.replaceWith(el("p", { class: "about", text: "The pool holds no other image." })); return; }
    const row = { length: found.length, at: async (at) => found[at] };
    list.replaceChildren(...found.map((one, at) => {
      const seedOf = store.classOf(one.id);
      const said = nameOf(one.uri) + ", similarity " + similarity(one.similarity) + (seedOf === null ? "" : ", seed of " + seedOf);
      const made = el("button", { type: "button", class: "near-tile", "aria-label": said, title: said, data: { id: String(one.id) }, on: { click: () => { show(one, row, at); stage.focus(); } } },
        el("img", { src: thumb(one.id, sizeFor(one, 84)), alt: "", loading: "lazy", decoding: "async" }), el("span", { class: "caption", text: similarity(one.similarity) }));
      if (seedOf !== null) made.append(sign(store, seedOf));
      return el("li", {}, made);
    }));
    near.querySelectorAll(".near-tile")[focused]?.focus();  // a seed more does not move the focus
    resembles(store.candidateOf(mine.id));
  }

  /** Open an image that only its id is known of. */
  async function visit(id) {
    try {
      show(await api.image(id));
    } catch (error) {
      if (!dialog.open) { history.closed({}, false); tell(error.message, { kind: "bad" }); return; }
      problem.textContent = error.message;
      problem.hidden = false;
      say(error.message);
    }
  }

  async function walk(by) {
    const to = index + by;
    if (!sequence || to < 0 || to >= sequence.length) { say(by < 0 ? "This is the first." : "This is the last."); return; }
    const mine = (walking += 1);
    try {
      const wanted = await sequence.at(to);
      if (mine !== walking || !wanted) return;
      const had = document.activeElement;
      show(wanted, sequence, to, true);
      if (had?.hidden || !dialog.contains(document.activeElement)) stage.focus();
    } catch (error) {
      if (!isAbort(error)) { problem.textContent = error.message; problem.hidden = false; }
    }
  }

  function leave(already = false) {
    quiet = already;
    if (dialog.open) dialog.close();
  }

  dialog.addEventListener("close", () => {
    if (dialog.open) return;  // and opened again since
    asking?.abort();
    picture.onload = null;
    picture.onerror = null;
    picture.removeAttribute("src");
    picture.style.backgroundImage = "";
    const last = { image, sequence, index };
    image = null;
    history.closed(last, quiet);
    quiet = false;
  });
  dialog.addEventListener("click", (event) => { if (event.target === dialog) leave(); });
  stage.addEventListener("dblclick", () => enlarge(!stage.classList.contains("zoomed")));
  dialog.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !image) return;
    const zoomed = stage.classList.contains("zoomed") && event.target === stage;  // where arrows scroll
    if (event.key === "ArrowLeft" && !zoomed) walk(-1);
    else if (event.key === "ArrowRight" && !zoomed) walk(1);
    else if (/^[1-9]$/.test(event.key)) pick(store, image, Number(event.key));
    else if (event.key === "0" || event.key === "Delete") pick(store, image, "aside");
    else if (event.key === "n") { const mine = image; leave(); pick(store, mine, "near"); }
    else if (event.key === "z") enlarge(!stage.classList.contains("zoomed"));
    else return;
    event.preventDefault();
  });
  for (const event of ["classes", "aside", "selection"]) {
    store.on(event, () => { if (image) { drawFacts(); drawSeeds(); if (event === "classes") drawNear(); } });
  }

  return { show, visit, close: leave, get current() { return image; } };
}
