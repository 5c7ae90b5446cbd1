/* The tiles of a grid: a picture, what marks it, and the buttons that come with the pointer or the focus. */

import { isAbort, pause, retryAfter, sizeFor, thumb } from "./api.js";
import { button, el, icon, nameOf, number } from "./dom.js";

const TRIES = 3;  // of a picture, where the service is busy

export class Tiles {
  constructor(signal) {
    this.signal = signal;  // ends everything that is still under way
    this.picker = el("div", { class: "picker", role: "presentation" });
  }

  make() {
    const picture = el("img", { alt: "", decoding: "async", draggable: false });
    const node = el("div", { class: "cell", role: "gridcell", tabIndex: -1 }, picture);
    const cell = { node, picture, index: -1, image: null, source: "", tries: 0, extra: [] };
    node.cell = cell;
    picture.cell = cell;
    return cell;
  }

  /** Show a record (null while it is not there yet) and what there is to say about it. */
  dress(cell, image, about, total) {
    const { node } = cell;
    const { mark, caption } = about;
    cell.image = image;
    for (const part of cell.extra) part.remove();
    cell.extra = [];
    for (const [name, on] of [["is-seed", mark?.kind === "seed"], ["is-candidate", mark?.kind === "candidate"], ["is-aside", about.aside]]) {
      node.classList.toggle(name, Boolean(on));
    }
    if (mark) {
      node.style.setProperty("--class", mark.color);
      node.style.setProperty("--class-ink", mark.ink);
      cell.extra.push(el("span", { class: "sign", text: mark.sign, "aria-hidden": "true" }));
    }
    if (about.aside) cell.extra.push(el("span", { class: "sign aside-sign", "aria-hidden": "true" }, icon("aside")));
    if (caption) cell.extra.push(el("span", { class: "caption", text: caption, "aria-hidden": "true" }));
    if (cell.why) cell.extra.push(this.brokenNote(cell));
    node.append(...cell.extra);
    const said = [image ? nameOf(image.uri) : "Loading", number(cell.index + 1) + " of " + number(total), ...(about.words || [])];
    node.setAttribute("aria-label", said.join(", ") + (cell.why ? ". " + cell.why : ""));
    node.draggable = Boolean(image);
  }

  /** Show the picture in the size that its place needs. */
  picture(cell, side) {
    if (!cell.image) { if (cell.source) this.forget(cell); return; }
    const source = thumb(cell.image.id, sizeFor(cell.image, side));
    if (cell.source === source) return;
    if (cell.source.split("?")[0] !== source.split("?")[0]) cell.node.classList.remove("shown");
    cell.node.classList.remove("broken");
    Object.assign(cell, { source, tries: 0, why: "" });
    cell.picture.src = source;
  }

  /** Take the picture away, which also ends its request. */
  forget(cell) {
    if (cell.source) cell.picture.removeAttribute("src");
    Object.assign(cell, { source: "", tries: 0, why: "", image: null });
    cell.node.classList.remove("shown", "broken");
  }

  loaded(picture) {
    if (picture.cell?.source) picture.cell.node.classList.add("shown");
  }

  /** A picture that did not come: ask why; a busy service is asked again, anything else is shown. */
  async failed(picture) {
    const cell = picture.cell;
    if (!cell?.source) return;
    const source = cell.source;
    let why = "The picture cannot be shown.";
    try {
      const reply = await fetch(source, { credentials: "same-origin", signal: this.signal });
      if ((reply.status === 429 || reply.status === 503) && cell.tries < TRIES) {
        cell.tries += 1;
        await pause(retryAfter(reply, cell.tries), this.signal);
        if (cell.source !== source) return;
        cell.picture.removeAttribute("src");
        cell.picture.src = source;
        return;
      }
      if (!reply.ok) why = (await reply.json()).error ?? why;
    } catch (error) {
      if (isAbort(error)) return;
    }
    if (cell.source !== source) return;
    cell.why = why;
    cell.node.classList.add("broken");
    const note = this.brokenNote(cell);
    cell.extra.push(note);
    cell.node.append(note);
    cell.node.setAttribute("aria-label", cell.node.getAttribute("aria-label") + ". " + why);
  }

  brokenNote(cell) {
    return el("span", { class: "broken-note", title: cell.why, "aria-hidden": "true" }, icon("image"), el("span", { text: nameOf(cell.image?.uri) }));
  }

  /** Put the buttons of a tile on it; they are one set, which moves. */
  offer(cell, picks) {
    this.picker.replaceChildren(...picks.map((pick) => {
      const made = button("", {
        label: pick.name, tabIndex: -1, class: "pick" + (pick.on ? " on" : ""), "aria-pressed": String(Boolean(pick.on)), data: { what: String(pick.what) },
        style: { "--class": pick.color ?? "rgb(0 0 0 / .75)", "--class-ink": pick.ink ?? "#fff" },  // not that of the tile
      });
      made.append(pick.icon ? icon(pick.icon) : pick.sign);
      return made;
    }));
    cell.node.append(this.picker);
  }
}
