// What drawing boxes and marking words have in common: marks with labels, a list of them, undo, and
// the explicit word that there is nothing to mark.
const main = $("gt-main");
const side = el("div", { class: "gt-side" });
const state = { marks: [], nothing: false, selected: -1, active: labels.length === 1 ? labels[0] : null };
const history = [];
const color = (name) => (name === null ? "" : "gt-c" + (labels.indexOf(name) % 8));
let redraw = () => {};  // each page's own
let describe = () => "";
let write = () => "";
let noun = ["mark", "marks"];
let needs = () => "";

function snapshot() { return JSON.stringify({ marks: state.marks, nothing: state.nothing }); }
function changed(before) {
  if (before !== undefined && before !== snapshot()) history.push(before);
  if (state.marks.length) state.nothing = false;
  state.selected = Math.min(state.selected, state.marks.length - 1);
  render();
}
function edit(work) {
  const before = snapshot();
  work();
  changed(before);
}
function back() {
  const last = history.pop();
  if (!last) return;
  Object.assign(state, JSON.parse(last), { selected: -1 });
  render();
  say("Undone");
}
function remove(at) {
  const said = describe(state.marks[at]);
  edit(() => { state.marks.splice(at, 1); state.selected = -1; });
  say("Deleted: " + said);
}
function select(at) {
  state.selected = at;
  render();
}

const list = el("ol", { class: "gt-marks" });
const heading = el("h2", {}, "");
const nothing = el("button", {
  type: "button", class: "gt-nothing", "aria-pressed": "false", "aria-keyshortcuts": "0",
  onclick: () => { if (!state.marks.length) edit(() => { state.nothing = !state.nothing; }); },
}, el("span", {}, "Nothing to mark here"), el("kbd", { "aria-hidden": "true" }, "0"));

function render() {
  const { marks } = state;
  list.replaceChildren(...marks.map((mark, at) => el("li", { class: color(mark.label) },
    el("button", { type: "button", class: "gt-pick", "aria-current": at === state.selected ? "true" : null, onclick: () => { select(at); reveal(at); } },
      el("span", { class: "gt-swatch", "aria-hidden": "true" }), el("span", { class: "gt-name", dir: "auto" }, describe(mark))),
    el("button", { type: "button", class: "gt-remove", "aria-label": "Delete " + describe(mark), onclick: () => remove(at) }, "✕"))));
  heading.textContent = marks.length ? marks.length + " " + noun[marks.length === 1 ? 0 : 1] : "";
  heading.hidden = list.hidden = !marks.length;
  nothing.hidden = marks.length > 0;
  nothing.setAttribute("aria-pressed", state.nothing);
  status(marks.length ? heading.textContent : state.nothing ? "Nothing to mark here" : "Nothing marked yet");
  $("gt-undo").disabled = !history.length;
  answer.value = marks.length || state.nothing ? write() : NOTHING;
  if (marks.length || state.nothing) alertUser("");
  redraw();
}
let reveal = () => {};
let answer;
let picker;

function begin(name) {  // when the page has said what its marks are
  answer = fields(name);
  picker = choiceList(labels, {
    multi: false,
    none: null,
    onchange: (names) => {
      state.active = names[0] || null;
      if (state.active !== null) labelChosen(state.active);
    },
  });
  picker.nodes.forEach((node, at) => node.prepend(el("span", { class: "gt-swatch gt-c" + (at % 8), "aria-hidden": "true" })));
  side.append(...picker.parts, nothing, heading, list);
  $("gt-undo").hidden = false;
  $("gt-undo").removeAttribute("aria-keyshortcuts");
  $("gt-undo").addEventListener("click", back);
  render();
}
let labelChosen = (name) => {
  if (state.selected >= 0) edit(() => { state.marks[state.selected].label = name; });
};

onKey.push((event) => {
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z" && !event.shiftKey) { back(); return true; }
  if (!plain(event)) return false;
  if ((event.key === "Delete" || event.key === "Backspace") && state.selected >= 0) { remove(state.selected); return true; }
  if (event.key === "Escape" && state.selected >= 0) { select(-1); return true; }
  if (event.key === "0") { nothing.click(); return true; }
  return false;
});
shortcuts.unshift(["Delete", "Delete what is selected"], ["Ctrl Z", "Undo"], ["Esc", "Select nothing"], ["0", "Nothing to mark here"]);

function put(marks) {  // as an earlier answer has them
  Object.assign(state, { marks, nothing: !marks.length, selected: -1 });
  history.length = 0;
  render();
}
check = () => {
  if (!state.marks.length && !state.nothing) return "Nothing is marked: mark what you see, or say “Nothing to mark here”.";
  return needs();
};
clear = () => { answer.value = NOTHING; };
