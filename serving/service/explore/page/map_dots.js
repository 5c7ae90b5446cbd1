// Draws up to hundreds of thousands of dots into a 2-D canvas: small round stamps, blended by hand
// into the pixels of one image. It needs no graphics card, so it looks and works the same everywhere;
// where a frame takes long, frames in motion get fewer pixels, and the one at rest gets them all.

const MOST = 3_200_000;  // pixels of one frame
const PHASES = 3;  // stamps for each third of a pixel, so that dots glide instead of jumping
const FULL = 64;  // alpha is in 64ths: two channels of 8 bits are blended in one multiplication

export class Dots {
  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d", { alpha: false, willReadFrequently: true });
    this.took = 0;  // milliseconds of the last whole frame
    this.share = 1;
  }

  // Draw what the camera sees.
  //
  // look: {ground, colors: [css], alphas: [0..1]}; colors and alphas by label, 0 for images without.
  // ranks: which labels are drawn later, so above others: Uint8Array, 0 or 1.
  draw(points, camera, look, radius, ratio, moving) {
    const began = performance.now(), area = camera.width * camera.height;
    let fine = Math.min(ratio, Math.sqrt(MOST / area));
    if (moving && this.took > 14) fine = Math.max(0.75, fine * Math.min(1, Math.sqrt(14 / this.took)));
    const stamps = makeStamps(radius * fine), margin = stamps.reach + 1;
    const width = Math.ceil(camera.width * fine), height = Math.ceil(camera.height * fine);
    this.buffer(width, height, margin);
    const { pixels, stride } = this, ground = packed(look.ground);
    pixels.fill(ground);
    if (points) {
      const box = camera.box(margin / fine);
      for (const rank of [0, 1]) this.pass(points, camera, look, stamps, fine, box, rank, stride, margin);
    }
    this.context.putImageData(this.image, -margin, -margin);
    const spent = performance.now() - began;
    // Less than the whole number of pixels was drawn: what all of them would have taken.
    this.took = spent * (Math.min(ratio, Math.sqrt(MOST / area)) / fine) ** 2;
    return spent;
  }

  buffer(width, height, margin) {
    const stride = width + 2 * margin, rows = height + 2 * margin;
    if (this.canvas.width !== width || this.canvas.height !== height) {
      this.canvas.width = width;
      this.canvas.height = height;
    }
    if (!this.image || this.image.width !== stride || this.image.height !== rows) {
      this.image = new ImageData(stride, rows);
      this.pixels = new Uint32Array(this.image.data.buffer);
      this.stride = stride;
    }
  }

  pass(points, camera, look, stamps, fine, box, rank, stride, margin) {
    const { pixels } = this, { x, y, label } = points, { ranks, alphas } = look;
    const scale = camera.scale * fine, rows = this.image.height;
    const left = (camera.width / 2 - camera.x * camera.scale) * fine + margin;
    const top = (camera.height / 2 - camera.y * camera.scale) * fine + margin;
    const right = stride - margin, bottom = rows - margin, low = stamps.reach;
    const colors = look.colors.map(packed), known = colors.length;
    const shades = alphas.map((alpha) => stamps.shapes.map((shape) => shape.alphas.map((a) => Math.round(a * alpha))));
    const steps = stamps.shapes.map((shape) => shape.steps.map(([dx, dy]) => dy * stride + dx));
    points.runs(...box, (from, to) => {
      for (let i = from; i < to; i++) {
        const of = label[i] < known ? label[i] : 0;
        if (ranks[of] !== rank) continue;
        const px = x[i] * scale + left, py = y[i] * scale + top;
        if (px < low || py < low || px >= right || py >= bottom) continue;
        const cx = px | 0, cy = py | 0;
        const phase = (((py - cy) * PHASES) | 0) * PHASES + (((px - cx) * PHASES) | 0);
        const way = steps[phase], shade = shades[of][phase], at = cy * stride + cx, color = colors[of];
        const rb = color & 0xff00ff, g = color & 0xff00;
        for (let k = 0; k < way.length; k++) {
          const spot = at + way[k], old = pixels[spot], alpha = shade[k];
          const oldRb = old & 0xff00ff, oldG = old & 0xff00;
          pixels[spot] = 0xff000000
            | ((oldRb + (((rb - oldRb) * alpha) >> 6)) & 0xff00ff)
            | ((oldG + (((g - oldG) * alpha) >> 6)) & 0xff00);
        }
      }
    });
  }
}

// Round stamps of a radius in pixels, one for each phase: offsets of pixels, and how much of each is covered.
const made = new Map();
function makeStamps(radius) {
  const size = Math.round(radius * 16) / 16;
  if (made.has(size)) return made.get(size);
  const reach = Math.ceil(size) + 1, shapes = [];
  for (let phase = 0; phase < PHASES * PHASES; phase++) {
    const cx = ((phase % PHASES) + 0.5) / PHASES, cy = (Math.floor(phase / PHASES) + 0.5) / PHASES;
    const steps = [], alphas = [];
    for (let dy = -reach; dy <= reach; dy++) {
      for (let dx = -reach; dx <= reach; dx++) {
        const covered = Math.max(0, Math.min(1, size + 0.5 - Math.hypot(dx + 0.5 - cx, dy + 0.5 - cy)));
        if (covered > 0.04) { steps.push([dx, dy]); alphas.push(Math.round(covered * FULL)); }
      }
    }
    shapes.push({ steps, alphas: Uint8Array.from(alphas) });
  }
  made.set(size, { reach, shapes });
  if (made.size > 64) made.delete(made.keys().next().value);
  return made.get(size);
}

// "#rrggbb" as the number that a pixel holds.
function packed(color) {
  const value = Number.parseInt(color.slice(1), 16);
  return (0xff000000 | ((value & 0xff) << 16) | (value & 0xff00) | (value >> 16)) >>> 0;
}
