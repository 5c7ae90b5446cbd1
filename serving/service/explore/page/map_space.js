// The points of the map as typed arrays, sorted into cells so that what is in view is found without
// looking at the rest, and the camera that looks at them. Nothing here knows of the page.
//
// World: 0..65535 both ways, y downward. Screen: CSS pixels from the upper left corner.

export const WORLD = 65536;
const CELLS = 128;  // a side
const SHIFT = 9;  // 65536 / 128 = 2 ** 9

export class Points {
  // bytes: the reply of /v1/map/points: uint32 id[n], uint16 xy[2n], uint16 label[n], little-endian as
  // every machine that browsers run on
  constructor(bytes, count) {
    const n = count;
    if (bytes.byteLength !== n * 10) throw new Error("The map that came is not as long as it should be. Load the page again.");
    const ids = new Uint32Array(bytes, 0, n), xy = new Uint16Array(bytes, 4 * n, 2 * n), labels = new Uint16Array(bytes, 8 * n, n);
    this.count = n;
    this.start = new Uint32Array(CELLS * CELLS + 1);
    const cell = new Uint16Array(n);
    let last = 0;
    for (let i = 0; i < n; i++) {
      cell[i] = (xy[2 * i + 1] >> SHIFT) * CELLS + (xy[2 * i] >> SHIFT);
      this.start[cell[i] + 1]++;
      if (ids[i] > last) last = ids[i];
    }
    for (let c = 0; c < CELLS * CELLS; c++) this.start[c + 1] += this.start[c];
    const next = this.start.slice(0, -1);
    this.id = new Uint32Array(n);
    this.x = new Uint16Array(n);
    this.y = new Uint16Array(n);
    this.label = new Uint16Array(n);
    this.places = new Uint32Array(n ? last + 1 : 0);  // by id: its place and 1
    for (let i = 0; i < n; i++) {
      const to = next[cell[i]]++;
      this.id[to] = ids[i];
      this.x[to] = xy[2 * i];
      this.y[to] = xy[2 * i + 1];
      this.label[to] = labels[i];
      this.places[ids[i]] = to + 1;
    }
  }

  // The place of an image in the arrays; -1 where it is not drawn.
  place(id) { return (this.places[id] ?? 0) - 1; }

  // Call visit(from, to) for each run of places that may lie within a box of the world.
  runs(left, top, right, bottom, visit) {
    const low = (value) => Math.max(0, Math.min(CELLS - 1, value >> SHIFT));
    if (right < 0 || bottom < 0 || left >= WORLD || top >= WORLD) return;
    const first = low(Math.max(0, left)), last = low(Math.min(WORLD - 1, right));
    const end = low(Math.min(WORLD - 1, bottom));
    for (let row = low(Math.max(0, top)); row <= end; row++) {
      const from = this.start[row * CELLS + first], to = this.start[row * CELLS + last + 1];
      if (to > from) visit(from, to);
    }
  }

  // The places within a box of the world.
  within(left, top, right, bottom) {
    const found = [], { x, y } = this;
    this.runs(left, top, right, bottom, (from, to) => {
      for (let i = from; i < to; i++) {
        if (x[i] >= left && x[i] <= right && y[i] >= top && y[i] <= bottom) found.push(i);
      }
    });
    return found;
  }

  // The places within a polygon [[x, y], ..] of the world: even-odd rule.
  inside(polygon) {
    const xs = polygon.map((p) => p[0]), ys = polygon.map((p) => p[1]);
    if (polygon.length < 3) return [];
    return this.within(Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)).filter((i) => {
      const x = this.x[i], y = this.y[i];
      let inner = false;
      for (let a = 0, b = polygon.length - 1; a < polygon.length; b = a++) {
        if (ys[a] > y !== ys[b] > y && x < ((xs[b] - xs[a]) * (y - ys[a])) / (ys[b] - ys[a]) + xs[a]) inner = !inner;
      }
      return inner;
    });
  }

  // The place nearest to a spot of the world within a reach; -1 for none. allowed(place) may refuse.
  nearest(x, y, reach, allowed = () => true) {
    let best = -1, least = reach * reach;
    this.runs(x - reach, y - reach, x + reach, y + reach, (from, to) => {
      for (let i = from; i < to; i++) {
        const dx = this.x[i] - x, dy = this.y[i] - y, far = dx * dx + dy * dy;
        if (far <= least && allowed(i)) { least = far; best = i; }
      }
    });
    return best;
  }

  // How many images have each label; at 0 those with none.
  counts(labels) {
    const out = new Uint32Array(labels + 1);
    for (let i = 0; i < this.count; i++) out[Math.min(this.label[i], labels)]++;
    return out;
  }
}

export class Camera {
  constructor() {
    this.width = this.height = 1;  // CSS pixels
    this.x = this.y = WORLD / 2;  // the middle of the view, in the world
    this.scale = this.fitScale = 1;  // CSS pixels for a step of the world
    this.goal = { x: this.x, y: this.y, scale: this.scale };
    this.fitted = true;
  }

  resize(width, height) {
    if (width === this.width && height === this.height) return;
    this.width = Math.max(1, width);
    this.height = Math.max(1, height);
    this.fitScale = (Math.min(this.width, this.height) * 0.94) / WORLD;
    if (this.fitted) { this.fit(); this.arrive(); } else this.hold();
  }

  get zoom() { return this.scale / this.fitScale; }

  fit() {
    this.goal = { x: WORLD / 2, y: WORLD / 2, scale: this.fitScale };
    this.fitted = true;
  }

  // Zoom by a factor; what lies at this spot of the screen stays there.
  zoomAt(factor, sx = this.width / 2, sy = this.height / 2) {
    const { goal } = this, before = goal.scale;
    goal.scale = before * factor;
    this.hold();
    const step = 1 / before - 1 / goal.scale;
    goal.x += (sx - this.width / 2) * step;
    goal.y += (sy - this.height / 2) * step;
    this.fitted = false;
    this.hold();
  }

  // Move what is seen by CSS pixels.
  pan(dx, dy) {
    this.goal.x -= dx / this.goal.scale;
    this.goal.y -= dy / this.goal.scale;
    this.fitted = false;
    this.hold();
  }

  lookAt(x, y, zoom = this.zoom) {
    this.goal = { x, y, scale: this.fitScale * zoom };
    this.fitted = false;
    this.hold();
  }

  hold() {  // within reason: some of the map is always in view
    const { goal } = this;
    goal.scale = Math.max(this.fitScale * 0.5, Math.min(this.fitScale * 4000, goal.scale));
    goal.x = Math.max(0, Math.min(WORLD, goal.x));
    goal.y = Math.max(0, Math.min(WORLD, goal.y));
  }

  arrive() { Object.assign(this, this.goal); }

  // One step of time toward the goal; whether there is more way to go. A spot that both views show
  // at the same place of the screen stays there on the way: the middle is linear in 1 / scale.
  step(milliseconds) {
    const { goal } = this, part = 1 - Math.exp(-milliseconds / 55), ratio = goal.scale / this.scale;
    const far = Math.hypot(goal.x - this.x, goal.y - this.y) * goal.scale;
    if (Math.abs(Math.log(ratio)) < 0.002 && far < 0.3) { this.arrive(); return false; }
    const scale = this.scale * ratio ** part;
    const way = Math.abs(ratio - 1) > 1e-6 ? (1 / scale - 1 / this.scale) / (1 / goal.scale - 1 / this.scale) : part;
    this.x += (goal.x - this.x) * way;
    this.y += (goal.y - this.y) * way;
    this.scale = scale;
    return true;
  }

  toScreen(x, y) {
    return [(x - this.x) * this.scale + this.width / 2, (y - this.y) * this.scale + this.height / 2];
  }

  toWorld(sx, sy) {
    return [(sx - this.width / 2) / this.scale + this.x, (sy - this.height / 2) / this.scale + this.y];
  }

  // The box of the world in view, with a margin in CSS pixels: [left, top, right, bottom].
  box(margin = 0) {
    return [...this.toWorld(-margin, -margin), ...this.toWorld(this.width + margin, this.height + margin)];
  }
}
