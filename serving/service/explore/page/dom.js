/* Elements and messages. Text reaches the page as text alone: nothing here parses HTML. */

const SVG = "http://www.w3.org/2000/svg";
const ICONS = {  // lines on a 24 by 24 ground
  search: "M10.5 17a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13zM15.5 15.5 21 21",
  image: "M4 5h16v14H4zM4 16l5-5 4 4 3-3 4 4M15.5 9.5h.01",
  close: "M6 6l12 12M18 6 6 18",
  undo: "M9 7H15a5 5 0 0 1 0 10H8M9 7l3.5-3.5M9 7l3.5 3.5",
  help: "M9 9a3 3 0 1 1 4.5 2.6c-1 .6-1.5 1.2-1.5 2.4M12 17.5h.01M12 21.5a9.5 9.5 0 1 0 0-19 9.5 9.5 0 0 0 0 19z",
  left: "M15 5l-7 7 7 7",
  right: "M9 5l7 7-7 7",
  up: "M5 15l7-7 7 7",
  down: "M5 9l7 7 7-7",
  near: "M12 12h.01M12 17a5 5 0 1 0 0-10 5 5 0 0 0 0 10zM12 21.5a9.5 9.5 0 1 0 0-19 9.5 9.5 0 0 0 0 19z",
  aside: "M5.5 5.5l13 13M12 21.5a9.5 9.5 0 1 0 0-19 9.5 9.5 0 0 0 0 19z",
  plus: "M12 5v14M5 12h14",
  minus: "M5 12h14",
  trash: "M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13",
  pencil: "M4 20l1-4L16.5 4.5l3 3L8 19z",
  save: "M12 4v10M8 10.5l4 4 4-4M5 19h14",
  grid: "M4 4h7v7H4zM13 4h7v7h-7zM4 13h7v7H4zM13 13h7v7h-7z",
  check: "M5 12.5l5 5L19 7",
  warn: "M12 4 2.5 20h19zM12 10v4M12 17h.01",
};

/** An element by its id. */
export const $ = (id) => document.getElementById(id);

/** Make an element.

    `options`: `class`, `text`, `on` ({event: handler}), `data` ({name: value}), `style` ({property: value});
    every other name is a property where the element has one, else an attribute; null, undefined and false
    leave an attribute out. Children are nodes or texts; null and false are skipped. */
export function el(tag, options = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(options)) {
    if (name === "class") node.className = value;
    else if (name === "text") node.textContent = value;
    else if (name === "on") for (const [event, handler] of Object.entries(value)) node.addEventListener(event, handler);
    else if (name === "data") Object.assign(node.dataset, value);
    else if (name === "style") for (const [key, one] of Object.entries(value)) node.style.setProperty(key, one);
    else if (name in node && !name.includes("-") && name !== "list" && name !== "form") node[name] = value ?? "";
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/** One of our drawings; decoration, so it needs a name beside it. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  for (const [key, value] of [["viewBox", "0 0 24 24"], ["class", "icon"], ["aria-hidden", "true"], ["focusable", "false"]]) svg.setAttribute(key, value);
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[name] || ICONS.help);
  svg.append(path);
  return svg;
}

/** A button with a name; `options` as of `el`, with `icon`, and `label` for a name that is not shown. */
export function button(name, options = {}) {
  const { icon: drawing, label, ...rest } = options;
  const made = el("button", { type: "button", ...rest });
  if (drawing) made.append(icon(drawing));
  if (label) { made.setAttribute("aria-label", label); made.title = rest.title ?? label; }
  if (name) made.append(drawing ? el("span", { text: name }) : name);
  return made;
}

/** What stands for a class: its number or letter on its color. */
export function sign(store, name, options = {}) {
  const one = store.classNamed(name);
  return el("span", {
    "aria-hidden": "true", ...options, class: ("sign " + (options.class || "")).trim(), text: store.signOf(name),
    style: one ? { "--class": one.color, "--class-ink": one.ink } : {},
  });
}

// ---- words

const NUMBERS = new Intl.NumberFormat("en-US");
export const number = (value) => NUMBERS.format(value);
export const plural = (count, one, many = one + "s") => number(count) + " " + (count === 1 ? one : many);
export const similarity = (value) => (typeof value === "number" && Number.isFinite(value) ? value.toFixed(3) : "");

/** The last part of a URI: the name of a file, or of a member of an archive. */
export function nameOf(uri) {
  const parts = String(uri ?? "").split(/[/\\#]/).filter(Boolean);
  return parts.at(-1) ?? "";
}

/** Everything before the name. */
export function folderOf(uri) {
  const name = nameOf(uri);
  return String(uri ?? "").slice(0, -name.length || undefined).replace(/[/\\]$/, "");
}

export const took = (milliseconds) => (milliseconds < 1000 ? Math.max(1, Math.round(milliseconds)) + " ms" : (milliseconds / 1000).toFixed(1) + " s");

// ---- messages

let turn = 0;
/** Say something to those who hear the page; the same words again are said again. */
export function say(text) {
  const said = $("said");
  if (said) said.textContent = text + ((turn = 1 - turn) ? "\u00a0" : "");
}

let fading = 0;
/** Show a message for a while, and say it. `action` is [name, handler]; `kind` "bad" stays until closed. */
export function tell(text, { action = null, kind = "", seconds = 6 } = {}) {
  const box = $("toast");
  clearTimeout(fading);
  box.className = "toast " + kind;
  box.replaceChildren(el("span", { class: "toast-text", text }));
  if (action) box.append(button(action[0], { class: "toast-action", on: { click: () => { hush(); action[1](); } } }));
  box.append(button("", { icon: "close", label: "Close this message", class: "quiet", on: { click: hush } }));
  box.hidden = false;
  // An open dialog lies above the page and makes the rest of it deaf.
  const dialog = [...document.querySelectorAll("dialog[open]")].at(-1);
  (dialog ?? document.body).append(box);
  say(text);
  if (kind !== "bad") fading = setTimeout(hush, 1000 * seconds);
}

/** Take the message away. */
export function hush() {
  clearTimeout(fading);
  const box = $("toast");
  if (!box || box.hidden) return;
  const had = box.contains(document.activeElement);
  box.hidden = true;
  if (had) gridCell()?.focus({ preventScroll: true });
}

/** The tile of the grid in view that has the focus when the grid has it. */
export function gridCell() {
  return [...document.querySelectorAll("[role='gridcell'][tabindex='0']")].find((cell) => cell.checkVisibility()) ?? null;
}

/** Whether what has the focus takes letters for itself. */
export function isWriting(target) {
  if (!(target instanceof HTMLElement)) return false;
  if (target.isContentEditable || target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement) return true;
  return target instanceof HTMLInputElement && !["checkbox", "radio", "button", "range", "file", "submit"].includes(target.type);
}

/** Call at most once in so many milliseconds, the last time included. */
export function later(fn, milliseconds) {
  let timer = 0;
  const call = (...values) => { clearTimeout(timer); timer = setTimeout(() => fn(...values), milliseconds); };
  call.cancel = () => clearTimeout(timer);
  return call;
}
