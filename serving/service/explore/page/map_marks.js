// What lies above the dots of the map: pictures where there is room for them, candidates filled,
// seeds ringed, the image in focus, and the region that is being drawn. All in CSS pixels.

const MOST_PICTURES = 80;
const LOOKED_AT = 1500;  // points that are tried for a place, at most
const KEPT = 500;  // pictures in memory
const AT_ONCE = 6;  // loading
const TRIES = 3;  // of a picture, where the service is busy
const AGAIN = 3000;  // milliseconds until the next
const FADE = 140;  // milliseconds

// Thumbnails by image, loaded when first asked for, the newest wish first.
export class Pictures {
  constructor(address, arrived) {
    this.address = address;
    this.arrived = arrived;
    this.held = new Map();
    this.wanted = [];
    this.loading = 0;
  }

  // The picture of an image; null while it is not there, or where it cannot be shown.
  get(id) {
    const found = this.held.get(id);
    if (found) { this.held.delete(id); this.held.set(id, found); return found.ready ? found.image : null; }
    this.held.set(id, { image: null, ready: false, tries: 0 });
    this.wanted.push(id);
    if (this.wanted.length > 2 * MOST_PICTURES) this.held.delete(this.wanted.shift());
    for (const old of this.held.keys()) { if (this.held.size <= KEPT) break; this.held.delete(old); }
    this.load();
    return null;
  }

  load() {
    while (this.loading < AT_ONCE && this.wanted.length) {
      const id = this.wanted.pop(), image = new Image(), entry = this.held.get(id);
      if (!entry) continue;
      this.loading++;
      const done = (ready) => {
        this.loading--;
        Object.assign(entry, { image, ready });
        if (ready) this.arrived();
        else if ((entry.tries += 1) < TRIES) setTimeout(() => { this.wanted.push(id); this.load(); }, AGAIN);
        this.load();
      };
      image.src = this.address(id);
      image.decode().then(() => done(true), () => done(false));
    }
  }
}

// Which images have their picture shown, and where.
export class Layout {
  constructor() {
    this.shown = new Map();  // place -> {born, x, y}
    this.side = 72;
  }

  // marked: places that come first. always: whether pictures are wanted at every zoom.
  arrange(points, camera, marked, always, allowed, now) {
    const box = camera.box(0);
    let near = 0;
    points.runs(...box, (from, to) => { near += to - from; });
    const old = this.shown;
    this.shown = new Map();
    this.growing = false;
    if (!near || (!always && near > LOOKED_AT)) return;
    let mask = 1;  // of many points the same few are tried, wherever one looks
    while (near / mask > LOOKED_AT) mask *= 2;
    const within = (i) => points.x[i] >= box[0] && points.x[i] <= box[2] && points.y[i] >= box[1] && points.y[i] <= box[3];
    const tried = [...old.keys()].filter((i) => within(i) && allowed(i));
    const rest = [];
    points.runs(...box, (from, to) => {
      for (let i = from; i < to; i++) {
        if (!old.has(i) && (mask === 1 || (mixed(points.id[i]) & (mask - 1)) === 0) && within(i) && allowed(i)) rest.push(i);
      }
    });
    const first = marked.filter((i) => i >= 0 && !old.has(i) && within(i) && allowed(i));
    rest.sort((a, b) => mixed(points.id[a]) - mixed(points.id[b]));
    const room = (camera.width * camera.height) / (Math.min(near / mask, 400) + 6);
    const wish = Math.max(56, Math.min(132, 0.8 * Math.sqrt(room)));
    this.growing = Math.abs(wish - this.side) > 0.5;
    this.side = this.growing ? this.side + (wish - this.side) * 0.25 : wish;
    const gap = this.side + 5, taken = [];
    for (const i of [...tried, ...first, ...rest]) {
      if (taken.length >= MOST_PICTURES) break;
      const [x, y] = camera.toScreen(points.x[i], points.y[i]);
      if (this.shown.has(i) || taken.some(([a, b]) => Math.abs(a - x) < gap && Math.abs(b - y) < gap)) continue;
      taken.push([x, y]);
      this.shown.set(i, { born: old.get(i)?.born ?? now, x, y });
    }
  }

  // The place whose picture lies at this spot of the screen; -1 for none.
  at(x, y) {
    const half = this.side / 2;
    for (const [place, spot] of this.shown) {
      if (spot.drawn && Math.abs(spot.x - x) <= half && Math.abs(spot.y - y) <= half) return place;
    }
    return -1;
  }
}

// Draw it all; whether something still fades in or grows.
//
// scene: {points, camera, layout, pictures, marks, focus, region, look, still}
export function drawMarks(context, ratio, scene, now) {
  const { points, camera, layout, look } = scene;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, camera.width, camera.height);
  const fading = drawPictures(context, scene, now);
  const seen = (x, y) => x > -20 && y > -20 && x < camera.width + 20 && y < camera.height + 20;
  const small = scene.marks.length > 400;
  for (const kind of ["candidate", "seed"]) {
    for (const mark of scene.marks) {
      if (mark.kind !== kind || mark.place < 0) continue;
      const [x, y] = camera.toScreen(points.x[mark.place], points.y[mark.place]);
      if (!seen(x, y)) continue;
      const spot = layout.shown.get(mark.place), corner = spot?.drawn;
      const at = corner ? [spot.x - spot.drawn[0] / 2 + 3, spot.y - spot.drawn[1] / 2 + 3] : [x, y];
      drawMark(context, ...at, mark, look, small && !corner);
    }
  }
  if (scene.focus >= 0) drawFocus(context, scene);
  if (scene.region) drawRegion(context, scene.region, look);
  if (scene.cross) drawCross(context, camera, look);
  return fading || layout.growing;
}

function drawPictures(context, { points, layout, pictures, look, still, colorOf }, now) {
  let fading = false;
  context.lineJoin = "round";
  for (const [place, spot] of layout.shown) {
    const image = pictures.get(points.id[place]);
    if (!image) { spot.born = now; spot.drawn = null; continue; }
    const part = still ? 1 : Math.min(1, (now - spot.born) / FADE);
    if (part < 1) fading = true;
    const shrink = layout.side / Math.max(image.naturalWidth, image.naturalHeight);
    const width = image.naturalWidth * shrink, height = image.naturalHeight * shrink;
    const left = spot.x - width / 2, top = spot.y - height / 2, color = colorOf(place);
    spot.drawn = [width, height];
    context.globalAlpha = part;
    context.save();
    context.beginPath();
    context.roundRect(left, top, width, height, 5);
    context.clip();
    context.drawImage(image, left, top, width, height);
    context.restore();
    context.beginPath();
    context.roundRect(left - 0.5, top - 0.5, width + 1, height + 1, 5.5);
    context.strokeStyle = color ?? look.hair;
    context.lineWidth = color ? 2.5 : 1;
    context.stroke();
    context.globalAlpha = 1;
  }
  return fading;
}

function disc(context, x, y, radius, fill) {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.fillStyle = fill;
  context.fill();
}

function drawMark(context, x, y, mark, look, small) {
  if (small && mark.kind === "candidate") {
    disc(context, x, y, 4.5, look.ground);
    disc(context, x, y, 3.5, mark.color);
    return;
  }
  const radius = 7.5;
  if (mark.kind === "seed") {  // a dot with a ring around it
    disc(context, x, y, radius + 5, look.ground);
    disc(context, x, y, radius + 3.75, mark.color);
    disc(context, x, y, radius + 1.5, look.ground);
  } else disc(context, x, y, radius + 1.5, look.ground);
  disc(context, x, y, radius, mark.color);
  context.fillStyle = mark.ink;
  context.font = "700 10px system-ui, sans-serif";
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.fillText(mark.letter, x, y + 0.5);
}

function drawFocus(context, { points, camera, layout, focus, look }) {
  const spot = layout.shown.get(focus);
  const [x, y] = camera.toScreen(points.x[focus], points.y[focus]);
  for (const [color, width] of [[look.ground, 6], [look.accent, 3]]) {
    context.beginPath();
    if (spot?.drawn) {
      const [w, h] = spot.drawn;
      context.roundRect(spot.x - w / 2 - 3, spot.y - h / 2 - 3, w + 6, h + 6, 8);
    } else context.arc(x, y, 11, 0, 2 * Math.PI);
    context.strokeStyle = color;
    context.lineWidth = width;
    context.stroke();
  }
}

function drawRegion(context, region, look) {
  context.beginPath();
  region.forEach(([x, y], at) => (at ? context.lineTo(x, y) : context.moveTo(x, y)));
  context.closePath();
  context.globalAlpha = 0.14;
  context.fillStyle = look.accent;
  context.fill();
  context.globalAlpha = 1;
  context.strokeStyle = look.accent;
  context.lineWidth = 2;
  context.setLineDash([6, 4]);
  context.stroke();
  context.setLineDash([]);
}

function drawCross(context, camera, look) {  // where the keyboard points
  const x = camera.width / 2, y = camera.height / 2;
  for (const [color, width] of [[look.ground, 4], [look.ink, 1.5]]) {
    context.beginPath();
    for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
      context.moveTo(x + 5 * dx, y + 5 * dy);
      context.lineTo(x + 13 * dx, y + 13 * dy);
    }
    context.strokeStyle = color;
    context.lineWidth = width;
    context.stroke();
  }
}

// A number mixed well (the finalizer of MurmurHash3), so that neighbors in the pool are far apart.
function mixed(value) {
  let h = value;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
