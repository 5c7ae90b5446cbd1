/* A grid of square pictures, of any length: only the rows that are seen exist.

   Rows are placed in a canvas as tall as all of them would be. Browsers limit the height of an element,
   so a canvas that would be taller is cut to TALLEST: its first and last stretch scroll pixel by pixel,
   a jump of the scroll bar in between is scaled, and what wheel and keys do stays pixel by pixel
   everywhere. Records come in pages as they are scrolled to, pictures once the scrolling is slow, and
   both are cancelled when they have gone by. The row with the focus always exists, so that it is not lost. */

import { isAbort } from "./api.js";
import { el, later, tell } from "./dom.js";
import { Tiles } from "./tiles.js";

const PAGE = 100;  // records asked for at once
const PAGES_KEPT = 60;
const TALLEST = 6_000_000;  // CSS pixels; Firefox ends at 17.9 million, and zoom counts too
const EXACT = 1_000_000;  // pixels at either end of a cut canvas that scroll as they are
const GAP = 4;
const NARROW = 600;  // CSS pixels below which tiles are made smaller, as on a telephone
const SMALLER = 0.62;
const SETTLED = 90;  // milliseconds without scrolling after which it has ended

export class Grid {
  /** `fetch(start, count, signal)` gives records; `tile(image)` what to show with one: `mark` {kind, color,
      ink, sign}, `caption`, `aside`, `words` for those who hear it, `picks` [{what, name, sign, color, ink,
      on}]. `onOpen(image, index)` and `onPick(image, what, index)` are told what somebody wants: `what` is
      the number of a class from 1, "aside" or "near". `size` is the least side of a tile in CSS pixels. */
  constructor(element, { total = 0, fetch, tile = () => ({}), onOpen = () => {}, onPick = () => {}, onError = null, label = "Images", size = 150 }) {
    Object.assign(this, { element, total, fetch, tile, onOpen, onPick, onError, size });
    this.pages = new Map();
    this.rows = new Map();
    this.spare = [];
    this.current = 0;
    this.top = 0;  // of what is seen, in the uncut canvas
    this.physical = 0;  // the same as the scroll bar has it
    this.columns = 0;  // until there is a width
    this.fast = false;
    this.canvas = el("div", { class: "grid-canvas", role: "presentation" });
    element.classList.add("grid");
    for (const [name, value] of [["role", "grid"], ["aria-label", label], ["aria-readonly", "true"]]) element.setAttribute(name, value);
    element.replaceChildren(this.canvas);
    this.settle = later(() => this.settled(), SETTLED);
    this.ending = new AbortController();
    this.tiles = new Tiles(this.ending.signal);
    this.watch();
  }

  watch() {
    const on = (event, fn, options = {}) => this.element.addEventListener(event, fn, { signal: this.ending.signal, ...options });
    on("scroll", () => this.scrolled(), { passive: true });
    on("keydown", (event) => this.key(event));
    on("click", (event) => this.click(event));
    on("focusin", (event) => this.focused(event));
    on("focusout", () => requestAnimationFrame(() => { if (!this.element.contains(document.activeElement)) this.tiles.picker.remove(); }));
    on("pointerover", (event) => { if (event.pointerType !== "touch") this.offer(event.target.closest?.(".cell")); });
    on("pointerleave", () => { if (!this.tiles.picker.contains(document.activeElement)) this.offer(document.activeElement?.closest?.(".cell")); });
    on("dragstart", (event) => this.drag(event));
    on("load", (event) => this.tiles.loaded(event.target), { capture: true });
    on("error", (event) => this.tiles.failed(event.target), { capture: true });
    this.observer = new ResizeObserver(() => this.layout());
    this.observer.observe(this.element);
  }

  destroy() {
    this.ending.abort();
    this.observer.disconnect();
    this.settle.cancel();
    for (const page of this.pages.values()) page.abort?.abort();
    this.element.replaceChildren();
  }

  // ---- what is shown

  /** Show other records from the beginning, or from `index`. */
  setData({ total, fetch = this.fetch, label = null, index = 0 }) {
    const held = this.element.contains(document.activeElement);
    for (const page of this.pages.values()) page.abort?.abort();
    this.pages.clear();
    Object.assign(this, { total, fetch, current: Math.max(0, Math.min(index, total - 1)) });
    if (label) this.element.setAttribute("aria-label", label);
    for (const key of [...this.rows.keys()]) this.drop(key);
    this.columns = 0;
    this.layout();
    if (held) this.focus();
    else this.reveal(this.current);
  }

  /** Make tiles larger or smaller; what was in view stays there. */
  setSize(size) {
    this.size = size;
    this.layout();
  }

  /** Show tiles anew: what there is to say about them changed. */
  update() {
    for (const row of this.rows.values()) for (const cell of row.cells) this.dress(cell);
    const cell = this.tiles.picker.parentElement;
    if (cell) this.offer(cell, true);
  }

  /** Ask again for what could not be had. */
  retry() {
    for (const [key, page] of this.pages) if (page.error) this.pages.delete(key);
    this.render();
  }

  /** The record at a place, asked for where it is not known yet. */
  async at(index) {
    const key = Math.floor(index / PAGE);
    const page = this.pages.get(key) ?? this.load(key);
    page.wanted = true;  // somebody waits for it: scrolling on does not cancel it
    await page.done;
    if (page.error) throw page.error;
    return page.images?.[index % PAGE] ?? null;
  }

  get length() { return this.total; }

  /** What was focused last, or is at the top. */
  get place() { return this.current; }

  // ---- sizes

  layout() {
    const width = this.element.clientWidth;
    this.height = this.element.clientHeight;
    if (!width || !this.height) return;
    const style = getComputedStyle(this.canvas);
    const inner = width - parseFloat(style.marginLeft) - parseFloat(style.marginRight);
    const least = inner < NARROW ? SMALLER * this.size : this.size;
    const columns = Math.max(1, Math.floor((inner + GAP) / (least + GAP)));
    const side = (inner - GAP * (columns - 1)) / columns;
    const anchor = this.columns ? Math.floor(this.top / this.pitch) * this.columns : 0;
    const inset = this.columns ? (this.top % this.pitch) / this.pitch : 0;
    const changed = columns !== this.columns;
    Object.assign(this, { columns, side, pitch: side + GAP });
    this.whole = Math.max(this.height, Math.ceil(this.total / columns) * this.pitch - GAP + 2 * GAP);
    this.cut = Math.min(this.whole, TALLEST);
    const canvas = this.canvas.style;
    canvas.height = this.cut + "px";
    canvas.setProperty("--columns", String(columns));
    canvas.setProperty("--side", side + "px");
    this.element.setAttribute("aria-rowcount", String(Math.ceil(this.total / columns)));
    this.element.setAttribute("aria-colcount", String(columns));
    const held = changed && document.activeElement?.cell && this.element.contains(document.activeElement);
    if (changed) for (const key of [...this.rows.keys()]) this.drop(key);
    this.scrollTo((Math.floor(anchor / columns) + inset) * this.pitch);
    for (const row of this.rows.values()) for (const cell of row.cells) this.tiles.picture(cell, this.side);
    if (held) this.focus();
  }

  /** From the scroll bar to the uncut canvas, and back. */
  toWhole(physical) {
    const [spare, real] = [this.cut - this.height, this.whole - this.height];
    if (spare === real || physical <= EXACT) return physical;
    if (physical >= spare - EXACT) return real - (spare - physical);
    return EXACT + (physical - EXACT) * (real - 2 * EXACT) / (spare - 2 * EXACT);
  }

  toPhysical(whole) {
    const [spare, real] = [this.cut - this.height, this.whole - this.height];
    if (spare === real || whole <= EXACT) return whole;
    if (whole >= real - EXACT) return spare - (real - whole);
    return EXACT + (whole - EXACT) * (spare - 2 * EXACT) / (real - 2 * EXACT);
  }

  scrollTo(whole) {
    this.top = Math.max(0, Math.min(whole, this.whole - this.height));
    this.element.scrollTop = this.toPhysical(this.top);
    this.physical = this.element.scrollTop;
    if (this.whole === this.cut) this.top = this.physical;
    this.render();
  }

  scrolled() {
    const physical = this.element.scrollTop;
    const moved = physical - this.physical;
    if (!this.height) return;
    this.physical = physical;
    if (this.whole === this.cut) this.top = physical;
    else if (Math.abs(moved) > 3 * this.height) this.top = this.toWhole(physical);
    else this.top = Math.max(0, Math.min(this.top + moved, this.whole - this.height));
    this.fast = Math.abs(moved) > 0.6 * this.height;
    this.render();
    this.settle();
  }

  settled() {
    this.fast = false;
    if (this.whole !== this.cut && this.height) {
      const physical = this.toPhysical(this.top);
      if (Math.abs(physical - this.element.scrollTop) > 1) {
        this.element.scrollTop = physical;
        this.physical = this.element.scrollTop;
      }
    }
    this.render();
  }

  // ---- rows

  render() {
    if (!this.columns || !this.height) return;
    const count = Math.ceil(this.total / this.columns);
    const over = this.fast ? 0 : 2;
    const first = Math.max(0, Math.floor(this.top / this.pitch) - over);
    const last = Math.min(count - 1, Math.floor((this.top + this.height) / this.pitch) + over);
    const held = this.total ? Math.floor(this.current / this.columns) : -1;
    for (const key of [...this.rows.keys()]) if ((key < first || key > last) && key !== held) this.drop(key);
    this.ask(first, last);
    const shift = this.top - this.physical;
    for (let key = first; key <= last; key += 1) this.put(key, shift);
    if (held >= 0 && (held < first || held > last)) this.put(held, shift);
  }

  put(key, shift) {
    let row = this.rows.get(key);
    if (!row) {
      row = this.spare.pop() ?? this.newRow();
      row.key = key;
      row.node.setAttribute("aria-rowindex", String(key + 1));
      this.rows.set(key, row);
      this.fill(row);
      // In the order of reading, which is how assistive technology and Tab find rows.
      const next = [...this.canvas.children].find((node) => Number(node.ariaRowIndex) > key + 1);
      this.canvas.insertBefore(row.node, next ?? null);
    }
    const top = Math.max(-2 * this.pitch, Math.min(this.cut + this.pitch, key * this.pitch - shift));
    if (row.top !== top) {
      row.top = top;
      row.node.style.transform = "translateY(" + top + "px)";
    }
    if (!this.fast) for (const cell of row.cells) this.tiles.picture(cell, this.side);
  }

  newRow() { return { node: el("div", { class: "grid-row", role: "row" }), cells: [], key: -1, top: null }; }

  fill(row) {
    const start = row.key * this.columns;
    const count = Math.min(this.columns, this.total - start);
    while (row.cells.length > count) row.cells.pop().node.remove();
    while (row.cells.length < count) {
      const cell = this.tiles.make();
      row.cells.push(cell);
      row.node.append(cell.node);
    }
    row.cells.forEach((cell, column) => {
      Object.assign(cell, { index: start + column, image: null });
      cell.node.setAttribute("aria-colindex", String(column + 1));
      cell.node.tabIndex = cell.index === this.current ? 0 : -1;
      this.dress(cell);
    });
  }

  drop(key) {
    const row = this.rows.get(key);
    this.rows.delete(key);
    if (row.node.contains(this.tiles.picker)) this.tiles.picker.remove();
    row.node.remove();
    for (const cell of row.cells) this.tiles.forget(cell);
    row.top = null;
    if (this.spare.length < 12) this.spare.push(row);
  }

  // ---- records

  ask(first, last) {
    const pages = [Math.floor(first * this.columns / PAGE), Math.floor(Math.min(this.total - 1, (last + 1) * this.columns - 1) / PAGE)];
    for (const [key, page] of this.pages) {
      if (page.abort && !page.wanted && (key < pages[0] || key > pages[1])) { page.abort.abort(); this.pages.delete(key); }
    }
    if (this.total && !this.fast) for (let key = pages[0]; key <= pages[1]; key += 1) if (!this.pages.has(key)) this.load(key);
    for (const key of this.pages.keys()) {
      if (this.pages.size <= PAGES_KEPT) break;
      if (key < pages[0] || key > pages[1]) this.pages.delete(key);
    }
  }

  load(key) {
    const page = { images: null, abort: new AbortController(), error: null, wanted: false };
    this.pages.set(key, page);
    const start = key * PAGE;
    page.done = Promise.resolve(this.fetch(start, Math.min(PAGE, this.total - start), page.abort.signal)).then((images) => {
      page.images = images;
      page.abort = null;
      if (this.pages.get(key) !== page) return;
      for (const row of this.rows.values()) for (const cell of row.cells) if (!cell.image && Math.floor(cell.index / PAGE) === key) this.dress(cell);
    }).catch((error) => {
      page.abort = null;
      page.error = error;
      if (isAbort(error) || this.pages.get(key) !== page) return;
      if (this.onError) this.onError(error);
      else tell(error.message, { kind: "bad", action: ["Try again", () => this.retry()] });
    });
    return page;
  }

  dress(cell) {
    const image = this.pages.get(Math.floor(cell.index / PAGE))?.images?.[cell.index % PAGE] ?? null;
    this.tiles.dress(cell, image, image ? this.tile(image, cell.index) : {}, this.total);
    if (!this.fast) this.tiles.picture(cell, this.side);
  }

  // ---- hands

  offer(node, again = false) {
    const cell = node?.cell;
    if (!cell?.image) this.tiles.picker.remove();
    else if (again || this.tiles.picker.parentElement !== node) this.tiles.offer(cell, this.tile(cell.image, cell.index).picks || []);
  }

  focused(event) {
    const cell = event.target.closest(".cell")?.cell;
    if (!cell) return;
    this.select(cell.index);
    this.offer(cell.node);
  }

  select(index) {
    if (index === this.current) return;
    const before = this.current;
    this.current = index;
    for (const at of [before, index]) {
      const cell = this.cellAt(at);
      if (cell) cell.node.tabIndex = at === index ? 0 : -1;
    }
  }

  cellAt(index) { return this.rows.get(Math.floor(index / this.columns))?.cells[index % this.columns] ?? null; }

  /** Scroll as little as needed to see a place. */
  reveal(index) {
    if (!this.columns || !this.height) return;
    const top = Math.floor(index / this.columns) * this.pitch;
    if (top < this.top) this.scrollTo(top - GAP);
    else if (top + this.pitch > this.top + this.height) this.scrollTo(top + this.pitch - this.height + GAP);
    else this.render();
  }

  /** Give the focus to a place. */
  focus(index = this.current) {
    if (!this.total) return;
    this.select(Math.max(0, Math.min(index, this.total - 1)));
    this.reveal(this.current);
    this.cellAt(this.current)?.node.focus({ preventScroll: true });
  }

  click(event) {
    const cell = event.target.closest(".cell")?.cell;
    if (!cell?.image) return;
    const pick = event.target.closest(".pick");
    if (!pick) { this.select(cell.index); this.onOpen(cell.image, cell.index); return; }
    cell.node.focus({ preventScroll: true });
    this.pick(cell, pick.dataset.what);
  }

  pick(cell, what) {
    const index = Number(what);
    this.onPick(cell.image, Number.isInteger(index) ? index : what, cell.index);
  }

  key(event) {
    const cell = event.target.cell;
    if (!cell || event.altKey || (event.metaKey && event.key !== "Home" && event.key !== "End")) return;
    const { columns, total } = this;
    const at = cell.index;
    const jump = Math.max(1, Math.floor(this.height / this.pitch)) * columns;
    const whole = event.ctrlKey || event.metaKey;
    const to = {
      ArrowLeft: at - 1, ArrowRight: at + 1, ArrowUp: at - columns, ArrowDown: at + columns,
      PageUp: at - jump, PageDown: at + jump,
      Home: whole ? 0 : at - (at % columns), End: whole ? total - 1 : at - (at % columns) + columns - 1,
    }[event.key];
    if (to !== undefined && (!event.ctrlKey || event.key === "Home" || event.key === "End")) {
      event.preventDefault();
      if (event.key === "ArrowUp" && to < 0) return;
      if (event.key === "ArrowDown" && Math.floor(at / columns) === Math.floor((total - 1) / columns)) return;
      this.focus(to);
      return;
    }
    if (event.ctrlKey || !cell.image) return;
    const what = /^[1-9]$/.test(event.key) ? event.key : { 0: "aside", Delete: "aside", n: "near", N: "near" }[event.key];
    if (event.key === "Enter") this.onOpen(cell.image, at);
    else if (what) this.pick(cell, what);
    else return;
    event.preventDefault();
  }

  drag(event) {
    const image = event.target.cell?.image;
    if (!image) return;
    event.dataTransfer.setData("application/x-gandt-image", JSON.stringify({ id: image.id, uri: image.uri }));
    event.dataTransfer.effectAllowed = "copy";
  }
}
