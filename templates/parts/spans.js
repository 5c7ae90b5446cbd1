// Pieces of a text. Places are counted in Unicode code points, not in the UTF-16 units of the
// browser, so that they are the same in every language; no piece cuts a visible character in two.
noun = ["piece marked", "pieces marked"];
const text = (() => { const value = parsed(task.dataset.text || "null"); return typeof value === "string" ? value : ""; })();
const points = [...text];
const before = (unit) => [...text.slice(0, unit)].length;  // code points before a UTF-16 place
const unit = (point) => points.slice(0, point).join("").length;
const slice = (mark) => points.slice(mark.start, mark.end).join("");

const edges = (() => {  // where visible characters begin, in code points
  if (!globalThis.Intl || !Intl.Segmenter) return points.map((_, at) => at).concat(points.length);
  const found = [];
  let at = 0;
  for (const { segment } of new Intl.Segmenter(undefined, { granularity: "grapheme" }).segment(text)) {
    found.push(at);
    at += [...segment].length;
  }
  return [...found, points.length];
})();
const words = (() => {  // pieces that the keys go by
  const found = [];
  for (const match of text.matchAll(/[\p{L}\p{N}\p{M}\p{Pc}'’\u200d-]+|[^\s\p{L}\p{N}]+/gu)) {
    found.push([before(match.index), before(match.index + match[0].length)]);
  }
  return found;
})();
const floor = (point) => edges.filter((edge) => edge <= point).pop() || 0;
const ceiling = (point) => edges.find((edge) => edge >= point) ?? points.length;

let pending = null;  // chosen, not yet labeled: { start, end }
const body = el("div", { class: "gt-text", tabindex: "0", role: "group", "aria-label": "The text", dir: "auto" });

describe = (mark) => mark.label + ": " + slice(mark);
write = () => JSON.stringify({
  entities: [...state.marks].sort((a, b) => a.start - b.start || a.end - b.end)
    .map(({ label, start, end }) => ({ label, startOffset: start, endOffset: end })),
});

restore = (earlier) => {
  const { entities } = parsed(earlier.entities) || {};
  if (!Array.isArray(entities)) return;
  put(entities.filter((mark) => mark.startOffset >= 0 && mark.startOffset < mark.endOffset && mark.endOffset <= points.length)
    .map(({ label, startOffset, endOffset }) => ({ label, start: startOffset, end: endOffset })));
};

function tidy(start, end) {
  while (start < end && /^\s$/u.test(points[start])) start++;
  while (end > start && /^\s$/u.test(points[end - 1])) end--;
  return start < end ? { start: floor(start), end: ceiling(end) } : null;
}

redraw = () => {
  const cuts = new Set([0, points.length]);
  for (const mark of [...state.marks, ...(pending ? [pending] : [])]) cuts.add(mark.start).add(mark.end);
  const sorted = [...cuts].sort((a, b) => a - b);
  const nodes = [];
  sorted.slice(0, -1).forEach((start, position) => {
    const end = sorted[position + 1];
    const over = state.marks.filter((mark) => mark.start <= start && mark.end >= end).sort((a, b) => a.end - a.start - (b.end - b.start));
    const inside = pending && pending.start <= start && pending.end >= end;
    const piece = points.slice(start, end).join("");
    if (!over.length && !inside) { nodes.push(document.createTextNode(piece)); return; }
    const mark = over[0];
    const first = over.filter((other) => other.start === start).map((other) => other.label).join(" + ");
    nodes.push(el("span", {
      class: (mark ? "gt-seg " + color(mark.label) : "") + (first ? " gt-first" : "") + (inside ? " gt-pending" : "") + (mark && state.marks.indexOf(mark) === state.selected ? " selected" : ""),
      "data-label": first || null, "data-at": mark ? state.marks.indexOf(mark) : null,
    }, piece));
  });
  body.replaceChildren(...nodes);
};
reveal = (at) => {
  const node = body.querySelector('[data-at="' + at + '"]');
  if (node) node.scrollIntoView({ block: "nearest" });
};

function choosePiece(start, end) {
  pending = tidy(start, end);
  state.selected = -1;
  render();
  const node = body.querySelector(".gt-pending");
  if (node) node.scrollIntoView({ block: "nearest" });
  if (pending) { say(slice(pending)); status("Chosen: " + slice(pending)); }
}
labelChosen = (name) => {
  if (pending) {
    const { start, end } = pending;
    edit(() => {
      if (!state.marks.some((mark) => mark.start === start && mark.end === end && mark.label === name)) state.marks.push({ label: name, start, end });
      state.selected = -1;
    });
    cursor = end;
    pending = null;
    render();
    say(name + ": " + slice({ start, end }));
  } else if (state.selected >= 0) edit(() => { state.marks[state.selected].label = name; });
  else alertUser("Choose a piece of the text first: drag over it, or go to a word with the arrow keys.");
};

function selected() {
  const selection = getSelection();
  if (!selection.rangeCount || selection.isCollapsed) return null;
  const range = selection.getRangeAt(0);
  if (!body.contains(range.startContainer) || !body.contains(range.endContainer)) return null;
  const lead = document.createRange();
  lead.selectNodeContents(body);
  lead.setEnd(range.startContainer, range.startOffset);
  const start = lead.toString().length;
  return [before(start), before(start + range.toString().length)];
}
let touching = false;
function take() {
  const found = selected();
  if (!found) return false;
  getSelection().removeAllRanges();
  cursor = found[1];
  choosePiece(...found);
  alertUser("");
  return true;
}
body.addEventListener("pointerdown", (event) => { touching = event.pointerType !== "mouse"; });
document.addEventListener("mouseup", (event) => {
  if (touching || side.contains(event.target)) return;
  setTimeout(() => {
    if (take() || !body.contains(event.target)) return;
    const mark = event.target.closest(".gt-seg");
    pending = null;
    select(mark ? Number(mark.dataset.at) : -1);
  }, 0);
});
side.addEventListener("pointerdown", () => { if (touching) take(); }, true);  // a finger's selection is done when a label is tapped

let cursor = 0;
function step(count) {
  const ahead = words.findIndex(([start]) => start >= cursor);
  const now = pending ? words.findIndex(([start]) => start === pending.start) : -1;
  const from = now >= 0 ? now + count : count > 0 ? (ahead < 0 ? words.length : ahead) + count - 1 : (ahead < 0 ? words.length : ahead) + count;
  const to = words[Math.min(Math.max(from, 0), words.length - 1)];
  if (!to) return;
  cursor = to[0];
  choosePiece(...to);
}
function stretch(count) {
  if (!pending) { step(1); return; }
  const at = words.findIndex(([, end]) => end >= pending.end);
  const to = words[Math.min(Math.max(at + count, 0), words.length - 1)];
  if (to && to[1] > pending.start) choosePiece(pending.start, to[1]);
}
function nudge(edge, count) {
  if (!pending) return;
  const at = edges.indexOf(pending[edge]) + count;
  const piece = { ...pending, [edge]: edges[Math.min(Math.max(at, 0), edges.length - 1)] };
  if (piece.start < piece.end) { pending = piece; render(); status("Chosen: " + slice(piece)); say(slice(piece)); }
}
onKey.unshift((event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || side.contains(event.target)) return false;
  const moves = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -8, ArrowDown: 8 }[event.key];
  if (moves) {
    if (event.shiftKey) stretch(moves);
    else step(moves);
    return true;
  }
  if (event.key === ".") { nudge("end", 1); return true; }
  if (event.key === ",") { nudge("end", -1); return true; }
  if (event.key === ">") { nudge("start", 1); return true; }
  if (event.key === "<") { nudge("start", -1); return true; }
  if (event.key === "Escape" && pending) { pending = null; render(); return true; }
  return false;
});
shortcuts.unshift(
  ["← →", "Choose the word before or after"], ["↑ ↓", "Eight words on or back"], ["Shift ← →", "Choose more words, or fewer"],
  [", .", "One character less or more at the end; with Shift at the beginning"],
);

side.append(el("p", { class: "gt-hint" }, "Drag over a piece of the text, then choose its label. Click a marked piece to change or delete it."));
main.append(el("div", { class: "gt-split" }, body, side));
if (!text.trim()) alertUser("This task has no text to read. Please report it with “Can’t answer”.");
begin("entities");
