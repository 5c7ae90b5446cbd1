// Colors of the map: of known classes, of images without one, and what the theme says.

// Twenty that eyes tell apart on a light ground, the first eight after Okabe and Ito (2008); on a dark
// ground each is lightened until it stands out. Further classes get hues by the golden angle.
const COLORS = [
  "#d07f00", "#2f93d6", "#008a63", "#a89a00", "#0b4f9e", "#cf4520", "#d05fa3", "#6b3fa8", "#7a4a1e", "#17b3a6",
  "#9b1b55", "#7cb320", "#e2836a", "#2f6b2f", "#a98be0", "#e0b100", "#47688c", "#00a9d1", "#e03fb5", "#8a8f2a",
];

const SIMILAR = 75;  // of 441 between black and white: hardly told apart

function hex(parts) { return "#" + parts.map((one) => Math.round(one).toString(16).padStart(2, "0")).join(""); }

function partsOf(color) {
  const value = Number.parseInt(color.slice(1), 16);
  return [value >> 16, (value >> 8) & 255, value & 255];
}

// WCAG's relative luminance.
function luminance(color) {
  const [red, green, blue] = partsOf(color).map((one) => {
    const share = one / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function hued(hue, saturation, lightness) {
  const spread = saturation * Math.min(lightness, 1 - lightness);
  return hex([0, 8, 4].map((n) => {
    const k = (n + hue / 30) % 12;
    return 255 * (lightness - spread * Math.max(-1, Math.min(k - 3, 9 - k, 1)));
  }));
}

function colorOf(at, dark) {
  let color = COLORS[at] ?? hued((20 + at * 137.508) % 360, 0.55, at % 2 ? 0.42 : 0.54);
  while (dark && luminance(color) < 0.26) color = hex(partsOf(color).map((one) => one + 0.15 * (255 - one)));
  return color;
}

// A color of the theme as "#rrggbb".
function themed(name, otherwise) {
  const value = getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  return /^#[0-9a-f]{6}$/i.test(value) ? value : otherwise;
}

function apart(one, other) {
  const [a, b] = [partsOf(one), partsOf(other)];
  return Math.hypot(...a.map((part, at) => part - b[at]));
}

// Colors of known classes. A class of the panel with the same name lends its color, and the class that
// had one hardly different gets the color that this makes free; all others keep theirs.
function labelColors(labels, lent, dark) {
  const usual = labels.map((_, at) => colorOf(at, dark)), colors = [...usual];
  labels.forEach((name, at) => {
    const color = lent.get(name);
    if (!color) return;
    colors[at] = color;
    const others = labels.map((_, to) => to).filter((to) => to !== at && !lent.has(labels[to]));
    const nearest = others.sort((a, b) => apart(colors[a], color) - apart(colors[b], color))[0];
    if (nearest !== undefined && apart(colors[nearest], color) < SIMILAR) colors[nearest] = usual[at];
  });
  return colors;
}

// How the map looks: by label, 0 for images without one. isolated: the only label that is shown in
// color, or null. A class of the panel with the name of a label lends it its color.
export function lookOf(labels, colors, isolated, dark) {
  const gray = dark ? "#8291a1" : "#8996a3", faint = dark ? "#2b3541" : "#d3dae1";
  const known = labelColors(labels, colors, dark);
  const shown = (at) => isolated === null || isolated === at;
  return {
    ground: themed("--d-ground", dark ? "#10151b" : "#f3f5f8"), ink: themed("--d-ink", "#17212c"),
    accent: themed("--d-accent", "#0a58b8"), hair: themed("--d-hair", "#d5dce4"),
    labels: ["", ...known],  // of the legend, whatever is isolated
    colors: [gray, ...known].map((color, at) => (shown(at) ? color : faint)),
    alphas: [labels.length ? 0.5 : 0.75, ...known.map(() => 0.82)].map((alpha, at) => (shown(at) ? alpha : 0.6)),
    ranks: Uint8Array.from([0, ...known.map((_, at) => (isolated === null || isolated === at + 1 ? 1 : 0))]),
  };
}
