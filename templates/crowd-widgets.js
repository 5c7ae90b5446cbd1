/* Stand-ins for the widgets of SageMaker Ground Truth, for pages shown without it; they need
   crowd-stand-in.js, which is the form around them, and crowd-widgets-style.js.

   <crowd-image-classifier>, <crowd-classifier> and both with -multi-select offer their `categories`;
   <crowd-bounding-box> lets boxes be drawn; <crowd-semantic-segmentation> shows what was painted
   before, for painting itself is left to Ground Truth. Each shows its `header`, the picture or the
   <classification-target>, the instructions and what was marked before (`overlay`,
   `initial-value`), and adds its answer to that of the form, under its `name` and in the shape that
   Ground Truth stores. What must be answered and is not holds the form back. All of it lives in a
   shadow tree: no style of the page reaches in, and no field of it is taken for one of the page. */
(() => {
  "use strict";
  if (customElements.get("crowd-bounding-box")) return;  // the page was written over one that has them

  const COLORS = ["#2ca02c", "#1f77b4", "#ff7f0e", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#17becf", "#bcbd22", "#7f7f7f"];
  const REGIONS = ["short-instructions", "full-instructions", "classification-target", "worker-comment"];

  const sheet = new CSSStyleSheet(), outside = new CSSStyleSheet();
  sheet.replaceSync(crowdWidgetsStyle);
  outside.replaceSync("body { margin: 0; } short-instructions > :first-child { margin-top: 0; } short-instructions, full-instructions, worker-comment { display: block; } short-instructions img, full-instructions img { max-width: 100%; }");

  function make(tag, settings = {}, ...children) {
    const node = document.createElement(tag);
    for (const [key, value] of Object.entries(settings)) {
      if (key in node) node[key] = value;
      else node.setAttribute(key, value);
    }
    node.append(...children);
    return node;
  }

  const color = (index) => COLORS[Math.max(0, index) % COLORS.length];

  function swatch(shown) {
    const node = make("span", { className: "swatch" });
    node.style.setProperty("--color", shown);
    return node;
  }

  /* JSON, or what the developer guide prints in its place: single quotes, bare keys, commas at the end. */
  function read(text) {
    try { return JSON.parse(text); } catch { /* perhaps the looser kind */ }
    const part = /"(?:\\.|[^"\\])*"|'((?:\\.|[^'\\])*)'|([A-Za-z_$][\w$-]*)(?=\s*:)|(,)(?=\s*[\]}])|[^]/g;
    const strict = text.replace(part, (all, single, key, last) => {
      if (single !== undefined) return JSON.stringify(single.replace(/\\(.)/g, "$1"));
      if (key !== undefined) return JSON.stringify(key);
      return last ? "" : all;
    });
    try { return JSON.parse(strict); } catch { return undefined; }
  }

  class Widget extends HTMLElement {
    labelsAttribute = "categories";

    connectedCallback() {
      if (this.shadowRoot) return;
      const form = this.closest("crowd-form");
      this.attachShadow({ mode: "open" }).adoptedStyleSheets = [sheet];
      if (!document.adoptedStyleSheets.includes(outside)) document.adoptedStyleSheets.push(outside);
      if (form) {
        if (!form.querySelector('crowd-button[form-action="submit"]')) {
          this.append(make("crowd-button", { "form-action": "submit", slot: "submit" }, "Submit"));
        }
        form.addEventListener("submit", (event) => this.#hold(event));
        const name = this.getAttribute("name");
        if (name) {
          form.addEventListener("crowd-answer", ({ detail }) => { detail[name] = this.answer(); });
          form.addEventListener("crowd-restore", ({ detail }) => this.restore?.(detail[name] || {}));
        }
      }
      if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", () => this.#build(), { once: true });
      else this.#build();
    }

    value(attribute) { return read(this.getAttribute(attribute) ?? "null"); }

    #hold(event) {
      const problem = this.problem();
      this.alert.textContent = problem;
      this.alert.hidden = !problem;
      if (problem) event.preventDefault();
    }

    #build() {
      for (const child of this.children) if (REGIONS.includes(child.localName)) child.slot = child.localName;
      const labels = this.value(this.labelsAttribute);
      this.labels = Array.isArray(labels) ? labels.map(String) : [];
      const full = this.querySelector(":scope > full-instructions");
      const guide = make("aside", { className: "panel guide", "aria-label": "Instructions" }, make("slot", { name: "short-instructions" }));
      if (full) guide.append(make("details", {}, make("summary", {}, full.getAttribute("header") || "Full instructions"), make("slot", { name: "full-instructions" })));
      this.alert = make("p", { className: "alert", role: "alert", hidden: true });
      const answer = make("section", { className: "panel answer", "aria-label": "Answer" });
      if (!this.labels.length) answer.append(make("p", { className: "broken" }, "There is nothing to choose from: `" + this.labelsAttribute + "` is no list of names."));
      answer.append(...this.controls());
      const subject = make("main", { className: "subject" }, ...this.subject());
      this.shadowRoot.append(make("div", { className: "page" },
        make("h1", { dir: "auto" }, this.getAttribute("header") || ""),
        make("div", { className: "columns" }, subject, answer, guide),
        make("footer", {}, this.alert, make("slot", { name: "submit" }))));
      document.addEventListener("keydown", (event) => this.#key(event));
    }

    #key(event) {
      const path = event.composedPath(), at = path[0], other = path.find((node) => node instanceof Widget);
      if (event.defaultPrevented || (other && other !== this) || event.ctrlKey || event.altKey || event.metaKey) return;
      if (["textarea", "select"].includes(at.localName) || (at.localName === "input" && !["radio", "checkbox"].includes(at.type))) return;
      if (/^[1-9]$/.test(event.key) && this.press(Number(event.key) - 1)) event.preventDefault();
      else if (event.key === "Enter" && !/^(button|summary|crowd-button|video|a)$/.test(at.localName)) {
        event.preventDefault();
        this.closest("crowd-form")?.submit();
      } else if (this.stroke?.(event)) event.preventDefault();
    }

    /* A row for each label, to be chosen from. */
    choices(type, { legend, changed = () => {} }) {
      this.inputs = this.labels.map((label, index) => make("input", { type, name: "choice", value: String(index), onchange: () => changed(index) }));
      const rows = this.labels.map((label, index) => {
        const row = make("label", { className: "choice" }, this.inputs[index]);
        if (this.color) row.append(swatch(this.color(label)));
        row.append(make("span", { className: "name", dir: "auto" }, label));
        if (index < 9) row.append(make("kbd", { "aria-hidden": "true" }, String(index + 1)));
        return row;
      });
      return make("fieldset", {}, make("legend", {}, legend), ...rows);
    }

    press(index) {
      const input = this.inputs?.[index];
      input?.click();
      input?.focus();
      return Boolean(input);
    }

    chosen() { return this.labels.filter((_, index) => this.inputs[index].checked); }

    /* The picture with layers above it; `ready` is called with it when its size is known. */
    picture({ draw = false, ready = () => {} } = {}) {
      const image = make("img", { alt: "The picture to label", draggable: false });
      const stage = make("div", { className: draw ? "stage draw" : "stage" }, image);
      image.addEventListener("load", () => {
        stage.style.setProperty("--across", image.naturalWidth);
        stage.style.setProperty("--ratio", image.naturalWidth / image.naturalHeight);
        ready(stage, image);
      });
      image.addEventListener("error", () => stage.replaceWith(make("p", { className: "broken" }, "This picture cannot be loaded: " + (this.getAttribute("src") || "there is no `src`"))));
      image.src = this.getAttribute("src") || "data:,";
      return stage;
    }

    mask(stage, src) { if (src) stage.append(make("img", { className: "mask", src, alt: "What was painted before" })); }
  }

  function place(node, box, image, color) {
    for (const [edges, whole] of [[["left", "width"], image.naturalWidth], [["top", "height"], image.naturalHeight]]) {
      for (const edge of edges) node.style[edge] = (100 * box[edge]) / whole + "%";
    }
    node.style.setProperty("--color", color);
  }

  /* What was marked before, by name of the label; a color for each. */
  const legend = (mappings) => make("ul", { "aria-label": "Colors" }, ...Object.entries(mappings || {}).map(([label, entry]) =>
    make("li", {}, swatch(String(entry?.color)), make("span", { className: "name", dir: "auto" }, label))));

  class Classifier extends Widget {
    multi = false;

    controls() {
      const found = [this.choices(this.multi ? "checkbox" : "radio", { legend: this.multi ? "Choose all that fit" : "Choose one" })];
      const area = this.value("overlay")?.semanticSegmentation;
      if (area) found.push(make("h2", {}, "Painted before"), legend(area.labelMappings));
      const comment = this.querySelector(":scope > worker-comment");
      if (comment) {
        this.comment = make("textarea", { placeholder: comment.getAttribute("placeholder") || "", "aria-label": comment.getAttribute("header") || "Add a comment" });
        found.push(make("details", {}, make("summary", {}, comment.getAttribute("link-text") || "Add a comment"), make("slot", { name: "worker-comment" }), this.comment));
      }
      return found;
    }

    problem() { return this.chosen().length ? "" : this.multi ? "Choose at least one label." : "Choose a label."; }

    answer() {
      const comment = this.comment?.value.trim();
      return { ...(this.multi ? { labels: this.chosen() } : { label: this.chosen()[0] }), ...(comment ? { workerComment: comment } : {}) };
    }

    restore({ label, labels = [label], workerComment }) {
      this.inputs.forEach((input, index) => { input.checked = labels.includes(this.labels[index]); });
      if (!this.comment || typeof workerComment !== "string") return;
      this.comment.value = workerComment;
      this.comment.closest("details").open = true;
    }

    subject() { return [make("slot", { name: "classification-target" })]; }
  }

  class ImageClassifier extends Classifier {
    subject() {
      const overlay = this.value("overlay") || {};
      const names = overlay.boundingBox?.labels || [];
      return [this.picture({ ready: (stage, image) => {
        this.mask(stage, overlay.semanticSegmentation?.src);
        for (const box of overlay.boundingBox?.value || []) {
          const node = make("div", { className: "box" }, make("span", { dir: "auto" }, String(box.label)));
          place(node, box, image, color(names.indexOf(box.label)));
          stage.append(node);
        }
      } })];
    }
  }

  class BoundingBox extends Widget {
    labelsAttribute = "labels";
    boxes = [];
    sent = "[]";
    #current = 0; // place of the label that the next box gets
    #image = null;
    #stage = null;

    color(label) { return color(this.labels.indexOf(label)); }

    controls() {
      const earlier = this.value("initial-value");
      this.boxes = (Array.isArray(earlier) ? earlier : []).map(({ label, left, top, width, height }) => ({ label, left, top, width, height }));
      this.before = this.sent = JSON.stringify(this.boxes);
      this.list = make("ul", { "aria-label": "Boxes" });
      const labels = this.choices("radio", { legend: "Label of the next box", changed: (index) => { this.#current = index; } });
      if (this.inputs.length) this.inputs[0].checked = true;
      const hint = "Draw on the picture, or add a box and move it with the arrow keys; with Shift they change its size. Delete removes it.";
      return [labels, make("button", { type: "button", id: "add", onclick: () => this.#add() }, "Add a box"), this.list, make("p", { className: "hint" }, hint)];
    }

    subject() {
      return [this.picture({ draw: true, ready: (stage, image) => {
        this.#stage = stage;
        this.#image = image;
        stage.addEventListener("pointerdown", (event) => this.#grab(event));
        this.#show();
      } })];
    }

    problem() { return this.#image ? "" : "The picture has not loaded, so its boxes have no size."; }

    answer() {
      const { naturalWidth: width, naturalHeight: height } = this.#image;
      const repaired = this.hasAttribute("initial-value") ? { initialValueModified: JSON.stringify(this.boxes) !== this.before } : {};
      return { boundingBoxes: this.boxes.map((box) => ({ ...box })), inputImageProperties: { width, height }, ...repaired };
    }

    restore({ boundingBoxes }) {
      if (!Array.isArray(boundingBoxes)) return;
      this.boxes = boundingBoxes.map(({ label, left, top, width, height }) => ({ label, left, top, width, height }));
      this.sent = JSON.stringify(this.boxes);
      if (this.#image) this.#show();
    }

    /* Whether it shows other boxes than it began with, which whoever leaves the page would lose. */
    get unsent() { return JSON.stringify(this.boxes) !== this.sent; }

    #fit(box) {
      const { naturalWidth: w, naturalHeight: h } = this.#image;
      const clamp = (value, least, most) => Math.max(least, Math.min(Math.round(value), most));
      box.width = clamp(box.width, 1, w);
      box.height = clamp(box.height, 1, h);
      box.left = clamp(box.left, 0, w - box.width);
      box.top = clamp(box.top, 0, h - box.height);
      return box;
    }

    #add() {
      const { naturalWidth: w = 0, naturalHeight: h = 0 } = this.#image ?? {};
      if (!w || !this.labels.length) return;
      this.boxes.push(this.#fit({ label: this.labels[this.#current], left: w / 3, top: h / 3, width: w / 3, height: h / 3 }));
      this.#show(this.boxes.length - 1);
    }

    #remove(index) {
      this.boxes.splice(index, 1);
      this.#show();
      this.shadowRoot.getElementById("add").focus();
    }

    #show(focus = -1) {
      for (const node of this.#stage.querySelectorAll(".box")) node.remove();
      this.list.replaceChildren();
      this.boxes.forEach((box, index) => {
        const node = make("button", { type: "button", className: "box", "aria-label": "Box " + (index + 1) + ", " + box.label }, make("span", { dir: "auto" }, String(box.label)));
        node.dataset.index = index;
        place(node, box, this.#image, this.color(box.label));
        this.#stage.append(node);
        if (index === focus) node.focus();
        const drop = make("button", { type: "button", "aria-label": "Remove box " + (index + 1), onclick: () => this.#remove(index) }, "Remove");
        this.list.append(make("li", {}, make("span", { className: "name", dir: "auto" }, String(box.label)), drop));
      });
    }

    stroke(event) {
      const index = event.composedPath()[0].dataset?.index;
      const box = this.boxes[index];
      if (!box) return false;
      if (event.key === "Delete" || event.key === "Backspace") { this.#remove(Number(index)); return true; }
      const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
      if (!step) return false;
      const by = Math.max(1, Math.round(this.#image.naturalWidth / 100));
      if (event.shiftKey) { box.width += step[0] * by; box.height += step[1] * by; }
      else { box.left += step[0] * by; box.top += step[1] * by; }
      this.#fit(box);
      this.#show(Number(index));
      return true;
    }

    #at(event) {
      const frame = this.#image.getBoundingClientRect();
      const within = (share, whole) => Math.max(0, Math.min(share, 1)) * whole;
      return [
        within((event.clientX - frame.left) / frame.width, this.#image.naturalWidth),
        within((event.clientY - frame.top) / frame.height, this.#image.naturalHeight),
      ];
    }

    #grab(event) {
      if (event.button || !this.labels.length) return;
      const [x, y] = this.#at(event);
      const index = event.composedPath()[0].closest?.(".box")?.dataset.index;
      const moved = index === undefined ? null : { ...this.boxes[index] };
      const sketch = moved ? null : make("div", { className: "box" });
      if (sketch) this.#stage.append(sketch);
      const held = new AbortController();
      let box = null;
      const move = (to) => {
        const [u, v] = this.#at(to);
        box = moved ? { ...moved, left: moved.left + u - x, top: moved.top + v - y }
          : { label: this.labels[this.#current], left: Math.min(x, u), top: Math.min(y, v), width: Math.abs(u - x), height: Math.abs(v - y) };
        place(sketch ?? this.#stage.querySelector('[data-index="' + index + '"]'), box, this.#image, this.color(box.label));
      };
      const end = (to) => {
        held.abort();
        sketch?.remove();
        if (to.type === "pointerup" && box && (moved || (box.width >= 3 && box.height >= 3))) {
          if (moved) Object.assign(this.boxes[index], this.#fit(box));
          else this.boxes.push(this.#fit(box));
        }
        this.#show(moved ? Number(index) : -1);
      };
      addEventListener("pointermove", move, { signal: held.signal });
      for (const kind of ["pointerup", "pointercancel"]) addEventListener(kind, end, { signal: held.signal });
    }
  }

  class Segmentation extends Widget {
    labelsAttribute = "labels";

    controls() {
      const earlier = this.value("initial-value");
      const before = earlier ? [make("h2", {}, "Painted before"), legend(earlier.labelMappings)] : [];
      const names = make("ul", { "aria-label": "Labels" }, ...this.labels.map((label) => make("li", { dir: "auto" }, label)));
      return [make("h2", {}, "Labels"), names, ...before, make("p", { className: "hint" }, this.problem())];
    }

    subject() { return [this.picture({ ready: (stage) => this.mask(stage, this.value("initial-value")?.src) })]; }

    problem() { return "This is a preview: painting needs the script of Ground Truth."; }

    answer() { return null; }
  }

  const several = (kind) => class extends kind { multi = true; };
  const kinds = {
    "crowd-image-classifier": ImageClassifier,
    "crowd-image-classifier-multi-select": several(ImageClassifier),
    "crowd-classifier": Classifier,
    "crowd-classifier-multi-select": several(Classifier),
    "crowd-bounding-box": BoundingBox,
    "crowd-semantic-segmentation": Segmentation,
  };
  for (const [name, kind] of Object.entries(kinds)) customElements.define(name, kind);
})();
