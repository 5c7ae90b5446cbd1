// Boxes in pixels of the picture as it is shown, drawn by mouse, touch or keys.
noun = ["box", "boxes"];
const source = task.dataset.image;
const frame = el("div", { class: "gt-frame" });
const stage = el("div", { class: "gt-stage", role: "group", "aria-label": "The image with its boxes" });
let image = null;
let size = null;  // of the picture in its own pixels
let scale = 1;
let zoomed = 1;
let drag = null;

describe = (mark) => mark.label === null ? "No label yet" : mark.label;
write = () => !size ? NOTHING : JSON.stringify({
  boundingBoxes: state.marks.map(({ label, left, top, width, height }) => ({ label: label === null ? "" : label, left, top, width, height })),
  inputImageProperties: { width: size.width, height: size.height },
});
needs = () => {
  if (!size) return "The image has not loaded: try again, or say why with “Can’t answer”.";
  const open = state.marks.findIndex((mark) => mark.label === null);
  if (open < 0) return "";
  select(open);
  return "A box has no label yet: choose one for it, or delete it.";
};

restore = (earlier) => {
  const { boundingBoxes } = parsed(earlier.boundingBox) || {};
  if (!Array.isArray(boundingBoxes)) return;
  put(boundingBoxes.map(({ label, left, top, width, height }) => ({ label: labels.includes(label) ? label : null, left, top, width, height })));
};

function fit() {
  if (!size) return;
  const wide = matchMedia("(min-width: 46rem) and (min-height: 30rem)").matches;
  const share = matchMedia("(max-width: 30rem)").matches ? 0.38 : 0.55;  // on a phone the labels want room too
  frame.style.height = wide ? "" : Math.min(innerHeight * share, (frame.clientWidth * size.height) / size.width) + "px";
  const room = { width: frame.clientWidth, height: frame.clientHeight };
  scale = Math.min(room.width / size.width, room.height / size.height, 6) * zoomed;
  stage.style.width = size.width * scale + "px";
  stage.style.height = size.height * scale + "px";
}

const HANDLES = [["w", "n"], ["", "n"], ["e", "n"], ["e", ""], ["e", "s"], ["", "s"], ["w", "s"], ["w", ""]];
const CURSOR = { wn: "nwse-resize", es: "nwse-resize", en: "nesw-resize", ws: "nesw-resize", n: "ns-resize", s: "ns-resize", e: "ew-resize", w: "ew-resize" };

redraw = () => {
  if (!size) return;
  const focused = stage.contains(document.activeElement) ? state.selected : -1;
  for (const old of stage.querySelectorAll(".gt-box")) old.remove();
  state.marks.forEach((mark, at) => {
    const chosen = at === state.selected;
    const percent = (value, of) => (100 * value) / of + "%";
    const node = el("div", {
      class: "gt-box " + color(mark.label) + (chosen ? " selected" : "") + (mark.label === null ? " gt-open" : ""), tabindex: "0", role: "button", "data-at": at,
      "aria-label": "Box " + (at + 1) + ", " + describe(mark) + ": left " + mark.left + ", top " + mark.top + ", " + mark.width + " by " + mark.height + " pixels", "aria-pressed": chosen,
    }, el("span", { class: mark.top * scale < 24 ? "gt-tag inside" : "gt-tag", dir: "auto" }, mark.label === null ? "?" : mark.label));
    node.style.left = percent(mark.left, size.width);
    node.style.top = percent(mark.top, size.height);
    node.style.width = percent(mark.width, size.width);
    node.style.height = percent(mark.height, size.height);
    node.addEventListener("focus", () => { if (state.selected !== at && !drag) select(at); });
    if (chosen) {
      for (const [across, down] of HANDLES) {
        if ((!across && mark.width * scale < 64) || (!down && mark.height * scale < 64)) continue;  // the corners are enough
        const handle = el("span", { class: "gt-handle", "data-across": across, "data-down": down });
        handle.style.left = across === "w" ? "0" : across === "e" ? "100%" : "50%";
        handle.style.top = down === "n" ? "0" : down === "s" ? "100%" : "50%";
        handle.style.cursor = CURSOR[across + down];
        node.append(handle);
      }
    }
    stage.append(node);
  });
  if (focused >= 0) reveal(focused);
};
reveal = (at) => {
  const node = stage.querySelector('.gt-box[data-at="' + at + '"]');
  if (node && document.activeElement !== node) node.focus({ preventScroll: true });
};

function place(edges) {  // edges in any order and anywhere, to a box within the picture
  const clip = (value, most) => Math.min(Math.max(Math.round(value), 0), most);
  const [left, right] = [clip(Math.min(edges.left, edges.right), size.width), clip(Math.max(edges.left, edges.right), size.width)];
  const [top, bottom] = [clip(Math.min(edges.top, edges.bottom), size.height), clip(Math.max(edges.top, edges.bottom), size.height)];
  return {
    left: Math.min(left, size.width - 1), top: Math.min(top, size.height - 1),
    width: Math.max(right - left, 1), height: Math.max(bottom - top, 1),
  };
}
function moved(mark, dx, dy) {
  const left = Math.min(Math.max(mark.left + dx, 0), size.width - mark.width);
  const top = Math.min(Math.max(mark.top + dy, 0), size.height - mark.height);
  return { left: Math.round(left), top: Math.round(top), width: mark.width, height: mark.height };
}
function at(event) {
  const area = stage.getBoundingClientRect();
  return { x: ((event.clientX - area.left) / area.width) * size.width, y: ((event.clientY - area.top) / area.height) * size.height };
}

stage.addEventListener("pointerdown", (event) => {
  if (!size || drag || (event.pointerType === "mouse" && event.button !== 0)) return;
  event.preventDefault();
  const box = event.target.closest(".gt-box");
  const handle = event.target.closest(".gt-handle");
  const over = box ? Number(box.dataset.at) : -1;
  drag = { id: event.pointerId, from: at(event), x: event.clientX, y: event.clientY, before: snapshot(), over, started: false, mode: "draw" };
  if (handle) Object.assign(drag, { mode: "resize", across: handle.dataset.across, down: handle.dataset.down });
  else if (over >= 0 && over === state.selected) drag.mode = "move";
  if (drag.mode !== "draw") drag.origin = { ...state.marks[over] };
  stage.setPointerCapture(event.pointerId);
});
stage.addEventListener("pointermove", (event) => {
  if (!drag || event.pointerId !== drag.id) return;
  if (!drag.started) {
    if (Math.hypot(event.clientX - drag.x, event.clientY - drag.y) < 4) return;
    drag.started = true;
    if (drag.mode === "draw") {
      state.marks.push({ label: state.active, left: 0, top: 0, width: 1, height: 1 });
      state.selected = state.marks.length - 1;
    }
  }
  const now = at(event);
  const mark = state.marks[state.selected];
  if (drag.mode === "draw") Object.assign(mark, place({ left: drag.from.x, top: drag.from.y, right: now.x, bottom: now.y }));
  else if (drag.mode === "move") Object.assign(mark, moved(drag.origin, now.x - drag.from.x, now.y - drag.from.y));
  else {
    const { left, top, width, height } = drag.origin;
    const edges = { left, top, right: left + width, bottom: top + height };
    if (drag.across) edges[drag.across === "w" ? "left" : "right"] = now.x;
    if (drag.down) edges[drag.down === "n" ? "top" : "bottom"] = now.y;
    Object.assign(mark, place(edges));
  }
  redraw();
});
function release(event) {
  if (!drag || event.pointerId !== drag.id) return;
  const { before, started, over, mode } = drag;
  drag = null;
  if (event.type === "pointercancel") {
    Object.assign(state, JSON.parse(before), { selected: -1 });
    render();
    return;
  }
  if (!started) { select(over); return; }
  changed(before);
  reveal(state.selected);
  if (mode === "draw" && state.active === null) say("Box drawn. Choose its label.");
}
stage.addEventListener("pointerup", release);
stage.addEventListener("pointercancel", release);

function add() {
  if (!size) return;
  const [width, height] = [size.width / 4, size.height / 4];
  const middle = {
    x: (frame.scrollLeft + frame.clientWidth / 2 - stage.offsetLeft) / scale,
    y: (frame.scrollTop + frame.clientHeight / 2 - stage.offsetTop) / scale,
  };
  const shift = 8 * (state.marks.length % 5);
  edit(() => {
    const box = place({ left: middle.x - width / 2 + shift, right: middle.x + width / 2 + shift, top: middle.y - height / 2 + shift, bottom: middle.y + height / 2 + shift });
    state.marks.push({ label: state.active, ...box });
    state.selected = state.marks.length - 1;
  });
  reveal(state.selected);
  say("Box added. Arrows move it, with Shift they resize it." + (state.active === null ? " Choose its label." : ""));
}
function magnify(factor) {
  zoomed = Math.min(Math.max(zoomed * factor, 1), 8);
  fit();
  redraw();
}

onKey.push((event) => {
  const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
  if (arrows && state.selected >= 0 && !side.contains(event.target) && !event.ctrlKey && !event.metaKey) {
    const mark = state.marks[state.selected];
    const step = event.altKey ? 1 : Math.max(1, Math.round(Math.max(size.width, size.height) / 100));
    const [dx, dy] = [arrows[0] * step, arrows[1] * step];
    edit(() => {
      if (!event.shiftKey) Object.assign(mark, moved(mark, dx, dy));
      else Object.assign(mark, place({ left: mark.left, top: mark.top, right: Math.max(mark.left + mark.width + dx, mark.left + 1), bottom: Math.max(mark.top + mark.height + dy, mark.top + 1) }));
    });
    return true;
  }
  if (!plain(event)) return false;
  if (event.key === " " && !event.target.closest("button, summary, a")) { add(); return true; }
  if (event.key === "+" || event.key === "=") { magnify(1.5); return true; }
  if (event.key === "-") { magnify(1 / 1.5); return true; }
  if (event.key === "Enter" && event.target.classList.contains("gt-box")) { submit(); return true; }
  return false;
});
shortcuts.unshift(
  ["Space", "Add a box"], ["Tab", "Go to the next box"], ["← ↑ ↓ →", "Move the box; with Alt by one pixel"],
  ["Shift ← ↑ ↓ →", "Make it smaller or larger"], ["+ −", "Enlarge the image, or shrink it"],
);

function load() {
  size = null;
  image = picture(source, "The image to draw on", () => {
    unloaded = true;
    stage.remove();
    frame.replaceChildren(broken(load));
    alertUser("This image does not load. Try again, or report it with “Can’t answer”.");
  });
  image.addEventListener("load", () => {
    size = { width: image.naturalWidth, height: image.naturalHeight };
    stage.replaceChildren(image);
    frame.replaceChildren(stage);
    unloaded = false;
    alertUser("");
    fit();
    render();
  });
}
const tools = el("div", { class: "gt-tools" },
  el("button", { type: "button", id: "gt-add", onclick: add }, "Add a box"),
  el("button", { type: "button", "aria-label": "Shrink the image", onclick: () => magnify(1 / 1.5) }, "−"),
  el("button", { type: "button", "aria-label": "Enlarge the image", onclick: () => magnify(1.5) }, "+"));
side.append(el("p", { class: "gt-hint" }, "Choose a label, then drag over the image. Click a box to change it."));
main.append(el("div", { class: "gt-split" }, el("div", { class: "gt-work" }, tools, frame), side));
begin("boundingBox");
load();
new ResizeObserver(() => { fit(); redraw(); }).observe(frame);
