// What all pages share. Values from the task only ever become text or attributes, never markup.
const $ = (id) => document.getElementById(id);
const form = document.querySelector("crowd-form");
const task = $("gt-task");
const settings = JSON.parse($("gt-settings").textContent);
const KEYS = "123456789abcdefghijklmnopqrstuvwxyz";
const NOTHING = JSON.stringify({ label: "" });  // what is sent with a problem: counts as no answer

function el(tag, properties, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties || {})) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "class") node.className = value;
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null));
  return node;
}

function parsed(text) {
  try { return JSON.parse(text); } catch { return undefined; }
}

function named(value) {
  const list = typeof value === "string" ? parsed(value) : value;
  if (!Array.isArray(list)) return [];
  const names = list.map((entry) => (entry && typeof entry === "object" ? entry.label : entry));
  return [...new Set(names.filter((name) => typeof name === "string" && name.trim()))];
}

function given(name) {
  const value = parsed(task.dataset[name] || "null");
  return typeof value === "string" && value.trim() ? value : null;
}

const labels = [named(parsed(task.dataset.labels || "null")), named(settings.labels)].find((list) => list.length) || [];
const question = given("question") || settings.question;
if (question) $("gt-question").textContent = question;

const fields = (name) => form.querySelector('input[type="hidden"][name="' + name + '"]');

function say(text) {
  $("gt-say").textContent = "";
  setTimeout(() => { $("gt-say").textContent = text; }, 30);
}
function alertUser(text) {
  $("gt-alert").textContent = text;
  $("gt-alert").hidden = !text;
}
function status(text) { $("gt-status").textContent = text; }

// ---- dialogs stand outside the form, so that nothing in them becomes part of the answer
function dialog(title, className, ...content) {
  const heading = el("h2", { id: "gt-dialog-" + document.querySelectorAll("dialog").length }, title);
  const box = el("dialog", { class: "gt-dialog " + className, "aria-labelledby": heading.id }, heading, ...content);
  box.addEventListener("keydown", (event) => event.stopPropagation());
  document.body.append(box);
  return box;
}

const shortcuts = [["Enter", "Submit"], ["?", "These keys"]];
function showKeys() {
  const list = el("dl", {});
  for (const [key, meaning] of shortcuts) list.append(el("dt", {}, el("kbd", {}, key)), el("dd", {}, meaning));
  const close = el("button", { type: "button", class: "gt-primary", onclick: () => box.close() }, "Close");
  const box = dialog("Keys", "", list, el("div", { class: "gt-actions" }, close));
  box.addEventListener("close", () => box.remove());
  box.showModal();
}
$("gt-help").addEventListener("click", showKeys);

// ---- a problem: the way out of a task that cannot be answered
let submitting = false;
let unloaded = false;  // whether an image did not load: the likeliest problem then
let check = () => "";  // each page's own: what is still missing, in one sentence
let clear = () => {};  // empties the answer's field; a problem is no answer
let restore = () => {};  // each page's own: shows an earlier answer again, to look at or to change
let noted = () => "";  // problems with parts of an answer that is complete

const reasons = {
  image: ["The image does not load", "It is too blurry, dark or small to tell", "No label fits", "I am not sure"],
  text: ["The text is empty or cannot be read", "It is in a language I do not know", "No label fits", "I am not sure"],
}[PAGE.subject];

const problem = (() => {
  const rows = [...reasons, "Something else"].map((reason) =>
    el("label", { class: "gt-row" }, el("input", { type: "radio", name: "gt-reason", value: reason }), reason));
  const details = el("textarea", { id: "gt-details", rows: 2, maxlength: 500, placeholder: "Details (optional)", "aria-label": "Details (optional)" });
  const send = el("button", { type: "button", class: "gt-primary", id: "gt-send-problem" }, "Send without an answer");
  const cancel = el("button", { type: "button", onclick: () => box.close() }, "Go back");
  const box = dialog("Why can’t it be answered?", "", el("fieldset", {}, el("legend", { class: "gt-unseen" }, "Reason"), ...rows),
    details, el("div", { class: "gt-actions" }, cancel, send));
  const radios = [...box.querySelectorAll("input")];
  const ready = () => { send.disabled = !radios.some((radio) => radio.checked); };
  for (const radio of radios) radio.addEventListener("change", ready);
  send.addEventListener("click", () => {
    const reason = radios.find((radio) => radio.checked).value;
    fields("problem").value = details.value.trim() ? reason + ": " + details.value.trim() : reason;
    clear();
    box.close();
    finish();
  });
  box.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.target === details || event.target.closest("button")) return;
    event.preventDefault();
    send.click();
  });
  return {
    restore: (text) => {  // the reason that was given, and what was written beside it
      const radio = radios.find(({ value }) => text === value || text.startsWith(value + ": "));
      if (!radio) return;
      radio.checked = true;
      details.value = text.slice(radio.value.length + 2);
    },
    open: () => {
      if (unloaded && !radios.some((radio) => radio.checked)) radios[0].checked = true;
      ready();
      box.showModal();
    },
  };
})();
$("gt-report").addEventListener("click", () => problem.open());

function finish() {
  if (typeof form.submit !== "function") {
    alertUser("This page has not loaded completely, so nothing can be sent yet: load it again.");
    return;
  }
  submitting = true;
  form.submit();
  submitting = false;
}
function submit() {
  const missing = check();
  alertUser(missing);
  if (missing) return;
  fields("problem").value = noted();
  finish();
}
form.onsubmit = (event) => {  // also where somebody else calls for a submission
  const missing = submitting ? "" : check();
  if (!missing) return true;
  event.preventDefault();
  alertUser(missing);
  return false;
};
$("gt-submit").addEventListener("click", submit);
form.addEventListener("crowd-restore", ({ detail }) => {
  if (typeof detail.problem === "string") problem.restore(detail.problem);
  restore(detail);
});

// ---- pictures: a broken one says so, any can be enlarged
function picture(source, alt, onbroken) {
  const image = el("img", { alt, decoding: "async", draggable: "false" });
  let tries = 0;
  image.addEventListener("error", () => {
    if (tries++ === 0 && source) setTimeout(() => { image.src = source; }, 400);
    else onbroken(image);
  });
  if (source) image.src = source;
  else setTimeout(() => onbroken(image), 0);
  return image;
}

function broken(retry) {
  return el("div", { class: "gt-broken", role: "group", "aria-label": "Broken image" },
    el("p", {}, "This image does not load."),
    el("button", { type: "button", onclick: retry }, "Try again"));
}

function enlarge(source, name, actions) {
  const image = el("img", { src: source, alt: name, draggable: "false" });
  const view = el("div", { class: "gt-zoom-view", tabindex: "0", role: "group", "aria-label": "Enlarged image" }, image);
  const scale = el("button", { type: "button", "aria-pressed": "false", onclick: () => large() }, "Larger");
  const close = el("button", { type: "button", class: "gt-primary", onclick: () => box.close() }, "Close");
  const bar = el("div", { class: "gt-zoom-bar" }, el("span", { class: "gt-name" }, name), scale, close);
  const box = el("dialog", { class: "gt-dialog gt-zoom", "aria-label": name }, view);
  if (actions) box.append(actions);
  box.append(bar);
  function large() {
    const on = view.classList.toggle("large");
    scale.setAttribute("aria-pressed", on);
    if (on) view.scrollTo((view.scrollWidth - view.clientWidth) / 2, (view.scrollHeight - view.clientHeight) / 2);
  }
  image.addEventListener("click", large);
  box.addEventListener("close", () => box.remove());
  document.body.append(box);
  box.showModal();
  view.focus();
  return box;
}

// ---- instructions, with what is wanted and what is not
(() => {
  const text = given("instructions") || settings.instructions;
  const body = $("gt-guide-body");
  if (text) body.append(el("p", { dir: "auto" }, text));
  const groups = new Map();
  for (const example of document.querySelectorAll(".gt-example")) {
    const { kind, src, label } = example.dataset;
    if (!src) continue;
    const name = label ? parsed(label) : null;
    const key = kind + "\n" + (name || "");
    if (!groups.has(key)) groups.set(key, { kind, name, sources: [] });
    groups.get(key).sources.push(src);
  }
  const lists = el("div", { class: "gt-examples" });
  for (const { kind, name, sources } of groups.values()) {
    const said = kind === "good" ? (name ? name : "Good examples") : (name ? "Not " + name : "Not wanted");
    const thumbs = el("div", { class: "gt-thumbs" });
    sources.forEach((source, index) => {
      const caption = said + ", example " + (index + 1);
      const button = el("button", { type: "button", "aria-label": caption + ": enlarge", onclick: () => enlarge(source, caption) },
        picture(source, "", () => { button.textContent = "does not load"; }));
      thumbs.append(button);
    });
    lists.append(el("section", { class: kind }, el("h2", { dir: "auto" }, said), thumbs));
  }
  if (groups.size) body.append(lists);
  const guide = $("gt-guide");
  guide.hidden = !body.childNodes.length;
  const remembered = (value) => {  // storage is forbidden in some frames
    try { return value === undefined ? localStorage.getItem("gt-guide") : localStorage.setItem("gt-guide", value); } catch { return null; }
  };
  const choice = guide.hidden ? null : remembered();  // storage keeps the page waiting: only where it is needed
  guide.open = choice === null ? innerWidth >= 800 && innerHeight >= 640 : choice === "open";
  guide.querySelector("summary").addEventListener("click", () => remembered(guide.open ? "closed" : "open"));
})();

// ---- keys: pages name theirs; nothing happens while somebody types or a dialog is open
const onKey = [];
function typing(target) {
  return target instanceof HTMLTextAreaElement || (target instanceof HTMLInputElement && !["checkbox", "radio", "button"].includes(target.type));
}
document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.isComposing || document.querySelector("dialog[open]") || typing(event.target)) return;
  if (onKey.some((handle) => handle(event))) {
    event.preventDefault();
    if (event.target.closest(".gt-bar")) event.target.blur();  // or the next Enter would press that button
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const inControl = event.target.closest && event.target.closest("button, summary, a");
  if (event.key === "?") { event.preventDefault(); showKeys(); }
  else if (event.key === "Enter" && !inControl) { event.preventDefault(); if (!event.repeat) submit(); }
});
function plain(event) { return !event.ctrlKey && !event.metaKey && !event.altKey; }

if (!labels.length && PAGE.name !== "tiles") {
  alertUser("This task names no labels to choose from. Please report it with “Can’t answer”.");
}
