// Texts with less than 4.5 : 1 and borders of buttons with less than 3 : 1 against what is behind
// them (WCAG 2.2, success criteria 1.4.3 and 1.4.11).
const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
const rgb = (color) => {
  canvas.clearRect(0, 0, 1, 1);
  canvas.fillStyle = color;
  canvas.fillRect(0, 0, 1, 1);
  return [...canvas.getImageData(0, 0, 1, 1).data];
};
const over = (under, [r, g, b, a]) => under.map((u, i) => u + (([r, g, b][i] - u) * a) / 255);
const ground = (node) => {
  const layers = [];
  for (let at = node; at; at = at.parentElement) {
    layers.push(rgb(getComputedStyle(at).backgroundColor));
    if (layers[layers.length - 1][3] === 255) break;
  }
  return layers.reverse().reduce(over, [255, 255, 255]);
};
const linear = (value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
const light = (color) => {
  const [r, g, b] = color.slice(0, 3).map((value) => linear(value / 255));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const ratio = (a, b) => {
  const [more, less] = [light(a), light(b)].sort((p, q) => q - p);
  return (more + 0.05) / (less + 0.05);
};
const bad = [];
const report = (what, node, found) => bad.push(`${what} ${node.className} ${node.textContent.slice(0, 30)} ${found.toFixed(2)}`);
for (const node of document.querySelectorAll("body *")) {
  const style = getComputedStyle(node);
  const text = [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim());
  if (!text || !node.checkVisibility() || node.disabled || style.fontSize === "0px") continue;
  const found = ratio(rgb(style.color), ground(node));
  if (found < 4.5) report("text", node, found);
}
for (const node of document.querySelectorAll("button")) {
  const found = ratio(rgb(getComputedStyle(node).borderTopColor), ground(node.parentElement));
  if (node.checkVisibility() && !node.disabled && found < 3) report("border", node, found);
}
return bad;
