// Many images, several labels each. Every change writes the hidden inputs, so that what is sent is
// what is seen. An image without an answer is an empty list; "cannot tell" is that, with a problem.
const main = $("gt-main");
const tiles = [];
for (const data of document.querySelectorAll(".gt-tile-data")) {
  if (/^\d+$/.test(data.dataset.index || "")) tiles.push({ index: data.dataset.index, source: data.dataset.src });
}
let none = null;
let offered = [];
for (const data of document.querySelectorAll(".gt-tile-data")) {
  offered = offered.length ? offered : named(parsed(data.dataset.labels || "null"));
  none = none || parsed(data.dataset.none || "null");
}
if (!tiles.length) {
  // Liquid cannot decode the text of a task. Here it can be done where images need no signature.
  const listed = parsed(parsed(task.dataset.source || "null"));
  if (Array.isArray(listed) && listed.every((tile) => tile && /^(https?|file|data|blob):|^\/(?!\/)/.test(tile["source-ref"]))) {
    for (const tile of listed) {
      tiles.push({ index: String(tile.index), source: tile["source-ref"] });
      form.append(el("input", { type: "hidden", name: "labels-" + tile.index, value: "[]" }));
    }
    if (listed.length) {
      offered = named(listed[0].event_names);
      none = listed[0].other_category_label;
    }
  }
}
none = typeof none === "string" && none.trim() ? none : "None of the above";
offered = (offered.length ? offered : labels).filter((name) => name !== none);

const undo = [];
let current = 0;
let missing = [];
const grid = el("ul", { class: offered.length > 8 ? "gt-grid gt-long" : "gt-grid", "aria-label": "Images" });
const bar = el("div", {});
const progress = el("div", { class: "gt-progress", role: "progressbar", "aria-label": "Images answered", "aria-valuemin": "0", "aria-valuemax": String(tiles.length) }, bar);
const restButton = el("button", { type: "button", onclick: () => nothingElse() }, "Mark the rest “" + none + "”");
main.append(el("div", { class: "gt-tools" }, progress, restButton), grid);

const answered = (tile) => tile.labels.length > 0 || tile.problem !== "";
const choices = [
  ...offered.map((name, index) => ({ name, key: KEYS[index] || "" })),
  { name: none, key: "0", none: true },
  { name: "Can’t tell", key: "-", problem: true },
];

function chips(tile, at) {
  const box = el("div", { class: "gt-chips", role: "group", "aria-label": "Labels of image " + (at + 1) });
  box.buttons = choices.map((choice) => {
    const button = el("button", {
      type: "button", "aria-pressed": "false", "aria-keyshortcuts": choice.key || null,
      class: "gt-chip" + (choice.none || choice.problem ? " gt-none" : ""), onclick: () => { current = at; toggle(at, choice); },
    }, el("span", { class: "gt-name", dir: "auto" }, choice.name), el("kbd", { "aria-hidden": "true" }, choice.key));
    box.append(button);
    return button;
  });
  return box;
}

function paintChips(box, tile) {
  choices.forEach((choice, position) => {
    const on = choice.problem ? tile.problem !== "" : tile.labels.includes(choice.name);
    box.buttons[position].setAttribute("aria-pressed", on);
  });
}

tiles.forEach((tile, at) => {
  tile.labels = [];
  tile.problem = "";
  tile.field = fields("labels-" + tile.index);
  tile.chips = chips(tile, at);
  tile.state = el("span", { class: "gt-state" });
  const view = el("div", { class: "gt-view" });
  const fill = () => {
    tile.broken = false;
    const image = picture(tile.source, "Image " + (at + 1), () => {
      tile.broken = true;
      view.replaceChildren(broken(fill), tile.state);
      if (!answered(tile)) change([[at, [], "The image does not load"]]);
    });
    image.addEventListener("load", () => {
      if (tile.problem === "The image does not load") change([[at, [], ""]]);
    });
    image.loading = at < 40 ? "eager" : "lazy";
    image.addEventListener("click", () => zoom(at));
    view.replaceChildren(image, tile.state, el("button", { type: "button", class: "gt-enlarge", tabindex: "-1", "aria-label": "Enlarge image " + (at + 1), title: "Enlarge (Space)", onclick: () => zoom(at) }, "⤢"));
  };
  fill();
  tile.node = el("li", { class: "gt-tile", tabindex: at === 0 ? "0" : "-1" }, view, tile.chips);
  tile.node.addEventListener("focusin", () => rove(at));
  grid.append(tile.node);
});

function rove(to) {
  current = to;
  tiles.forEach((tile, at) => {
    tile.node.tabIndex = at === to ? 0 : -1;
    for (const button of tile.chips.buttons) button.tabIndex = at === to ? 0 : -1;
  });
}

function change(changes, remember = true) {
  if (remember) undo.push(changes.map(([at]) => [at, tiles[at].labels, tiles[at].problem]));
  for (const [at, names, problem] of changes) {
    tiles[at].labels = names;
    tiles[at].problem = problem;
  }
  alertUser("");  // what is still missing stays marked
  render();
}

function toggle(at, choice) {
  const { labels: names, problem } = tiles[at];
  if (choice.problem) change([[at, [], problem ? "" : tiles[at].broken ? "The image does not load" : "Cannot tell"]]);
  else if (names.includes(choice.name)) change([[at, names.filter((name) => name !== choice.name), ""]]);
  else if (choice.none) change([[at, [none], ""]]);
  else {
    const kept = new Set([...names, choice.name]);
    change([[at, offered.filter((name) => kept.has(name)), ""]]);
  }
  const now = tiles[at];
  say("Image " + (at + 1) + ": " + (now.problem || now.labels.join(", ") || "no answer"));
}

function nothingElse() {
  const open = tiles.flatMap((tile, at) => (answered(tile) ? [] : [[at, [none], ""]]));
  if (!open.length) return;
  change(open);
  say(open.length + " images marked " + none);
}

function back() {
  const last = undo.pop();
  if (!last) return;
  change(last, false);
  focus(last[0][0]);
  say("Undone");
}

function focus(at) {
  rove(at);
  tiles[at].node.focus({ preventScroll: true });
  tiles[at].node.scrollIntoView({ block: "nearest" });
}

function render() {
  let done = 0;
  tiles.forEach((tile, at) => {
    const complete = answered(tile);
    done += complete;
    missing = missing.filter((other) => other !== at || !complete);
    tile.node.classList.toggle("done", complete);
    tile.node.classList.toggle("missed", missing.includes(at));
    tile.state.textContent = (complete ? "✓ " : "") + (at + 1);
    const said = tile.problem || tile.labels.join(", ") || "no answer yet";
    tile.node.setAttribute("aria-label", "Image " + (at + 1) + " of " + tiles.length + ": " + said);
    tile.field.value = JSON.stringify(tile.labels);
    paintChips(tile.chips, tile);
  });
  bar.style.width = tiles.length ? (100 * done) / tiles.length + "%" : "0";
  progress.setAttribute("aria-valuenow", String(done));
  status(done + " of " + tiles.length + " images answered");
  restButton.disabled = done === tiles.length;
  $("gt-undo").disabled = !undo.length;
}

function zoom(at) {
  rove(at);
  const box = chips(tiles[at], at);
  paintChips(box, tiles[at]);
  box.addEventListener("click", () => paintChips(box, tiles[at]));
  const view = enlarge(tiles[at].source, "Image " + (at + 1) + " of " + tiles.length, box);
  const go = (step) => {
    if (!tiles[at + step]) return;
    view.close();
    zoom(at + step);
  };
  const turn = (text, label, step) => el("button", { type: "button", "aria-label": label, disabled: !tiles[at + step], onclick: () => go(step) }, text);
  view.querySelector(".gt-zoom-bar").prepend(turn("←", "Previous image", -1), turn("→", "Next image", 1));
  view.addEventListener("close", () => { if (!document.querySelector("dialog[open]")) focus(current); });
  view.addEventListener("keydown", (event) => {
    if (!plain(event)) return;
    const choice = choices.find((candidate) => candidate.key && candidate.key === event.key.toLowerCase());
    if (choice) { toggle(at, choice); paintChips(box, tiles[at]); event.preventDefault(); }
    else if (event.key === "ArrowRight") go(1);
    else if (event.key === "ArrowLeft") go(-1);
    else if ((event.key === " " || event.key === "Enter") && !event.target.closest("button")) { event.preventDefault(); view.close(); }
  });
}

function columns() {
  const top = tiles[0].node.offsetTop;
  const second = tiles.findIndex((tile) => tile.node.offsetTop > top);
  return second < 0 ? tiles.length : second;
}

shortcuts.unshift(
  ["← ↑ ↓ →", "Go to another image"], [offered.length > 9 ? "1 … 9, a … z" : "1 … " + Math.max(offered.length, 1), "Give the image a label, or take it away"],
  ["0", none], ["-", "Can’t tell"], ["Space", "Enlarge the image"], ["Backspace", "Undo"],
);
shortcuts.splice(shortcuts.findIndex(([key]) => key === "Enter"), 1, ["Enter", "Next image without an answer; then submit"]);
onKey.push((event) => {
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z" && !event.shiftKey) { back(); return true; }
  if (!plain(event) || !tiles.length) return false;
  if (event.key === "Backspace") { back(); return true; }
  const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns(), ArrowUp: -columns() }[event.key];
  if (step) {
    const inside = grid.contains(document.activeElement);
    const to = inside ? current + step : current;
    if (tiles[to]) focus(to);
    return true;
  }
  if (event.key === " " && event.target.closest("button, summary, a") === null) { zoom(current); return true; }
  if (event.key === "Enter" && (event.target === document.body || event.target.classList.contains("gt-tile") || event.target.classList.contains("gt-chip"))) {
    if (event.target.classList.contains("gt-chip")) return false;
    const order = [...tiles.keys()].map((offset) => (current + offset) % tiles.length);
    const next = order.find((at) => !answered(tiles[at]));
    if (next === undefined) submit();
    else focus(next);
    return true;
  }
  const choice = choices.find((candidate) => candidate.key && candidate.key === event.key.toLowerCase());
  if (!choice) return false;
  toggle(current, choice);
  focus(current);
  return true;
});
$("gt-undo").hidden = false;
$("gt-undo").addEventListener("click", back);

check = () => {
  if (!tiles.length) return "There are no images to answer. Please report it with “Can’t answer”.";
  missing = tiles.flatMap((tile, at) => (answered(tile) ? [] : [at]));
  if (!missing.length) return "";
  const open = missing.map((at) => at + 1);
  render();
  focus(missing[0]);
  const listed = open.slice(0, 8).join(", ") + (open.length > 8 ? ", …" : "");
  return (open.length === 1 ? "Image " + listed + " has no answer yet" : open.length + " images have no answer yet (" + listed + ")") +
    ": choose labels, “" + none + "” or “Can’t tell” for each.";
};
restore = (answer) => {
  const troubles = parsed(answer.problem);
  change(tiles.map((tile, at) => {
    const names = parsed(answer["labels-" + tile.index]);
    const trouble = Array.isArray(troubles) && troubles.find(({ index }) => String(index) === tile.index);
    return [at, Array.isArray(names) ? names : [], trouble ? String(trouble.problem) : ""];
  }), false);
};
clear = () => { for (const tile of tiles) tile.field.value = "[]"; };
noted = () => {
  const found = tiles.filter((tile) => tile.problem).map((tile) => ({ index: Number(tile.index), problem: tile.problem }));
  return found.length ? JSON.stringify(found) : "";
};
if (tiles.length) { rove(0); render(); }
else {
  restButton.hidden = true;
  alertUser("The images of this task cannot be shown: Liquid did not get them as a list. Please report it with “Can’t answer”; its owner should use the pre-annotation Lambda, or write the list under the key “tiles” of the manifest.");
}
if (tiles.length && !offered.length) alertUser("This task names no labels to choose from. Please report it with “Can’t answer”.");
