// The picture of the map: two canvases in a frame, the loop that draws them while anything moves, and
// what lies under the pointer. It knows points, marks and colors; it knows nothing of the store.

import { Dots } from "./map_dots.js";
import { handle } from "./map_hands.js";
import { Layout, Pictures, drawMarks } from "./map_marks.js";
import { Camera } from "./map_space.js";

const MOVING = 400;  // milliseconds from frame to frame, at most, while something moves
const SLOW = 24;  // milliseconds from frame to frame that are no smooth motion any more
const REACH = 14;  // CSS pixels from a dot that still mean it

export class MapView {
  // frame: the element that both canvases fill. calls: {open(id), focus(place), hover(place, x, y),
  // taken(places), key(event, place) -> used, settled(), thumb(id, size) -> address}
  constructor(frame, dots, marks, calls) {
    Object.assign(this, { frame, calls, points: null, marks: [], look: null, mode: "move", region: null });
    this.focus = -1;  // a place; the one under the pointer or in the middle
    this.opened = -1;  // the one that was opened last
    this.always = false;  // pictures at every zoom
    this.allowed = () => true;
    this.camera = new Camera();
    this.dots = new Dots(dots);
    this.overlay = marks;
    this.context = marks.getContext("2d");
    this.layout = new Layout();
    this.pictures = new Pictures((id) => calls.thumb(id, 128), () => this.wake(false));
    this.still = matchMedia("(prefers-reduced-motion: reduce)");
    this.byKeys = false;
    this.awake = 0;
    this.last = 0;
    this.drawn = -Infinity;  // when dots were drawn last
    this.pace = 16;  // milliseconds from frame to frame while it moves
    this.heavy = false;  // whether a dense screen is too much in motion
    this.frames = [];  // milliseconds that the last frames took to draw, for those who measure
    new ResizeObserver(() => this.fit()).observe(frame);
    handle(marks, this.camera, {
      mode: () => this.mode,
      moved: () => { this.wake(); },
      glide: (dx, dy) => { if (!this.still.matches) { this.camera.pan(dx, dy); this.wake(); } },
      hover: (x, y) => this.hover(x, y),
      click: (x, y) => { const place = this.under(x, y); if (place >= 0) this.open(place); },
      region: (path) => { this.region = path; this.wake(false); },
      taken: (path) => this.take(path),
      key: (event) => calls.key(event, this.focus),
    });
    marks.addEventListener("keydown", () => { this.byKeys = true; }, true);
    marks.addEventListener("pointerdown", () => { this.byKeys = false; }, true);
    for (const kind of ["focus", "blur"]) marks.addEventListener(kind, () => this.keyboard());
  }

  keyboard() {  // the keyboard came or went
    this.byKeys = this.overlay.matches(":focus-visible");
    if (!this.byKeys) this.setFocus(-1);
    this.wake();
  }

  setPoints(points) { this.points = points; this.opened = -1; this.camera.fit(); this.camera.arrive(); this.wake(); }

  fit() {
    const { clientWidth: width, clientHeight: height } = this.frame;
    if (!width || !height) return;
    this.camera.resize(width, height);
    this.wake();
  }

  // Draw soon; whole: the dots as well.
  wake(whole = true) {
    this.stale = this.stale || whole;
    if (this.awake) return;
    this.awake = requestAnimationFrame((now) => this.frameAt(now));
  }

  frameAt(now) {
    this.awake = 0;
    if (!this.frame.clientWidth || !this.look) return;
    const began = performance.now(), ratio = devicePixelRatio || 1, { camera } = this;
    const passed = this.last ? Math.min(50, now - this.last) : 16;
    const going = this.still.matches ? (camera.arrive(), false) : camera.step(passed);
    if (this.stale || going) {
      const gap = now - this.drawn;
      // A drag arrives at once, frame by frame: what follows another frame closely moves as well.
      this.coarse = going || gap < MOVING;
      if (gap < MOVING) this.pace += (gap - this.pace) * 0.2;
      this.heavy ||= this.pace > SLOW;
      this.dots.draw(this.points, camera, this.look, this.radius(), this.fine(ratio), this.coarse);
      this.drawn = now;
    }
    this.stale = false;
    const fading = this.points ? this.drawAbove(now, this.fine(ratio)) : false;
    this.frames.push(performance.now() - began);
    if (this.frames.length > 600) this.frames.shift();
    this.last = now;
    if (going || fading) { this.stale = going; this.awake = requestAnimationFrame((later) => this.frameAt(later)); }
    else this.rest();
  }

  fine(ratio) { return this.coarse && this.heavy ? Math.min(1, ratio) : ratio; }

  rest() {  // all pixels, once nothing moves any more
    this.last = 0;
    clearTimeout(this.resting);
    this.resting = setTimeout(() => {
      if (this.coarse) { this.coarse = false; this.drawn = -Infinity; this.wake(); }
      this.calls.settled();
    }, 90);
  }

  drawAbove(now, ratio) {
    const { camera, points, overlay } = this;
    const width = Math.round(camera.width * ratio), height = Math.round(camera.height * ratio);
    if (overlay.width !== width || overlay.height !== height) Object.assign(overlay, { width, height });
    const first = this.marks.map((mark) => mark.place);
    this.layout.arrange(points, camera, first, this.always, this.allowed, now);
    if (this.byKeys) this.setFocus(this.nearest(camera.width / 2, camera.height / 2, Infinity));
    return drawMarks(this.context, ratio, {
      points, camera, layout: this.layout, pictures: this.pictures, marks: this.marks, look: this.look,
      focus: this.focus >= 0 ? this.focus : this.opened, region: this.region, cross: this.byKeys, still: this.still.matches,
      colorOf: (place) => (points.label[place] ? this.look.colors[points.label[place]] : null),
    }, now);
  }

  radius() {  // of a dot, CSS pixels: smaller where there are many, larger from near
    const count = Math.max(1, this.points?.count ?? 1), { width, height } = this.camera;
    const base = Math.max(0.9, Math.min(3, 0.26 * Math.sqrt((width * height) / count)));
    return Math.min(5, base * Math.max(1, this.camera.zoom) ** 0.3);
  }

  nearest(sx, sy, reach) {
    const { camera, points } = this, [x, y] = camera.toWorld(sx, sy), [left, top, right, bottom] = camera.box();
    const seen = (i) => points.x[i] >= left && points.x[i] <= right && points.y[i] >= top && points.y[i] <= bottom;
    for (let far = Math.min(reach, 40); ; far *= 4) {
      const found = points.nearest(x, y, far / camera.scale, (i) => seen(i) && this.allowed(i));
      if (found >= 0 || far >= reach || far > 4 * Math.max(camera.width, camera.height)) return found;
    }
  }

  under(sx, sy) {
    if (!this.points) return -1;
    const pictured = this.layout.at(sx, sy);
    return pictured >= 0 ? pictured : this.nearest(sx, sy, REACH);
  }

  hover(sx, sy) {
    const place = sx === null ? -1 : this.under(sx, sy);
    this.overlay.classList.toggle("map-on", place >= 0);
    this.setFocus(place);
    this.wake(false);
  }

  setFocus(place) {
    if (place === this.focus) return;
    this.focus = place;
    this.calls.focus(place);
  }

  // Where a place is on the screen, and half the side of what is drawn there.
  spot(place) {
    const shown = this.layout.shown.get(place);
    const [x, y] = this.camera.toScreen(this.points.x[place], this.points.y[place]);
    return [x, y, shown?.drawn ? this.layout.side / 2 : 8];
  }

  open(place) { this.calls.open(this.points.id[place]); }

  take(path) {
    if (!this.points) return;
    this.calls.taken(this.points.inside(path.map(([x, y]) => this.camera.toWorld(x, y))).filter(this.allowed));
  }

  // How many images are in view.
  countInView() {
    const { points, camera } = this, [left, top, right, bottom] = camera.box();
    let count = 0;
    points.runs(left, top, right, bottom, (from, to) => {
      for (let i = from; i < to; i++) {
        const x = points.x[i], y = points.y[i];
        if (x >= left && x <= right && y >= top && y <= bottom && this.allowed(i)) count++;
      }
    });
    return count;
  }

  // The places in view, those nearest to the middle first.
  inView() {
    const { points, camera } = this;
    if (!points) return [];
    const far = (i) => (points.x[i] - camera.x) ** 2 + (points.y[i] - camera.y) ** 2;
    const found = points.within(...camera.box()).filter(this.allowed);
    const ways = new Map(found.map((i) => [i, far(i)]));
    return found.sort((a, b) => ways.get(a) - ways.get(b));
  }
}
