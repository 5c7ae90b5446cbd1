"""The look of the results page: what it adds to the contact sheet's, and its one script.

The pair of colors for people and machines was chosen on measured distance: in OKLab at least 0.14
for normal, protan, deutan and tritan eyes (simulated as in Machado, Oliveira and Fernandes, "A
Physiologically-based Model for Simulation of Color Vision Deficiency", IEEE TVCG, 2009), with a
contrast of at least 3:1 on the card, in light and dark; they differ in lightness too, and every
mark repeats in its shape what its color says.
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["DARK", "LIGHT", "RESULTS_STYLE", "SCRIPT"]

LIGHT: Mapping[str, str] = {
    "human": "#0b6e69",
    "machine": "#d9730d",
    "gold": "#3b3833",
    "unknown": "#8a8477",
    "ink": "#23211d",
    "soft": "#6d685e",
    "line": "#dedbd3",
    "mat": "#eceae5",
    "accent": "#0b6e69",
    "bad": "#b3261e",
}
DARK: Mapping[str, str] = {
    "human": "#7fd6ce",
    "machine": "#e07b26",
    "gold": "#d9d4c7",
    "unknown": "#8f897c",
    "ink": "#eceae3",
    "soft": "#a29d91",
    "line": "#3a3933",
    "mat": "#2b2b26",
    "accent": "#6fd0c7",
    "bad": "#ff8a80",
}


def _variables(colors: Mapping[str, str]) -> str:
    return " ".join(f"--c-{name}: {color};" for name, color in colors.items())


_ROLES = "\n".join(
    f".f-{name} {{ fill: var(--c-{name}); }} .s-{name} {{ stroke: var(--c-{name}); }}"
    for name in LIGHT
)

RESULTS_STYLE = (
    f"""
:root {{ {_variables(LIGHT)} }}
@media (prefers-color-scheme: dark) {{ :root {{ {_variables(DARK)} }} }}
{_ROLES}
"""
    + """
.faint { opacity: .38; }
main > section { padding: 30px 0 6px; }
main > section > p { max-width: 80ch; margin: 2px 0 0; color: var(--soft); }
.numbers-strip { display: flex; flex-wrap: wrap; gap: 14px clamp(24px, 4vw, 56px);
  margin: 22px 0 0; padding: 0; list-style: none; }
.numbers-strip b { display: block; font-size: clamp(1.6rem, 1.2rem + 1.6vw, 2.3rem);
  font-weight: 620; line-height: 1.1; letter-spacing: -.02em; }
.numbers-strip span { color: var(--soft); font-size: 13px; }
.charts { display: grid; gap: 14px; margin: 14px 0 0;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 480px), 1fr)); align-items: start; }
.chart { margin: 0; padding: 14px 18px 12px; min-width: 0; background: var(--card);
  border: 1px solid var(--line); border-radius: 12px; box-shadow: var(--shade);
  container-type: inline-size; }
.chart:only-child { max-width: 560px; }
.charts.mixed { grid-template-columns: repeat(auto-fit, minmax(min(100%, 340px), auto));
  justify-content: start; }
.charts .panel { margin: 0; }
.chart h3 { margin: 0 0 12px; }
.chart svg { display: block; max-width: 100%; height: auto; overflow: visible;
  font-family: inherit; }
.chart svg .bold { font-weight: 620; }
.chart svg.wide { display: none; }
@container (min-width: 440px) {
  .chart svg.wide { display: block; }
  .chart svg.narrow { display: none; }
}
.chart details { margin-top: 10px; font-size: 13px; }
.scroll { overflow-x: auto; max-width: 100%; scrollbar-width: thin; }
table { border-collapse: collapse; margin: 10px 0 0; font-size: 13px; line-height: 1.4; }
th { color: var(--soft); font-size: 12px; font-weight: 500; text-align: left;
  vertical-align: bottom; white-space: nowrap; }
th, td { padding: 4px 18px 4px 0; border-bottom: 1px solid var(--line); vertical-align: top; }
th:last-child, td:last-child { padding-right: 0; }
td { overflow-wrap: anywhere; max-width: 44ch; }
.num { text-align: right; white-space: nowrap; }
tbody th { color: var(--text); font-size: 13px; font-weight: 600; white-space: normal;
  overflow-wrap: anywhere; max-width: 30ch; min-width: min(18ch, 40vw); vertical-align: top; }
tbody th.num { min-width: 0; }
td svg { display: block; margin-top: 1px; }
.marked td:last-child { min-width: 26ch; color: var(--c-bad); }
.panel { width: fit-content; max-width: 100%; margin-top: 14px; padding: 6px 18px 12px;
  background: var(--card); border: 1px solid var(--line); border-radius: 12px;
  box-shadow: var(--shade); }
.by { display: inline-block; font-weight: 500; }
.by::before { content: ""; display: inline-block; width: 9px; height: 9px; margin-right: 6px;
  border-radius: 99px; background: var(--c-unknown); }
.by.human::before { background: var(--c-human); }
.by.machine::before { background: var(--c-machine); border-radius: 1px; transform: rotate(45deg); }
.by.gold::before { background: var(--c-gold); border-radius: 1px; }
.kind { margin: 22px 0 10px; display: flex; flex-wrap: wrap; gap: 2px 12px; align-items: baseline;
  color: var(--soft); font-size: 14px; }
.kind h3 { color: var(--text); font-size: 15px; letter-spacing: 0; text-transform: none;
  overflow-wrap: anywhere; }
.grid.small { grid-template-columns: repeat(auto-fill, minmax(min(112px, 46%), 1fr)); }
main > section > .grid { margin-top: 14px; }
.grid.large { grid-template-columns: repeat(auto-fill, minmax(min(220px, 100%), 1fr)); }
.grid.texts { grid-template-columns: repeat(auto-fill, minmax(min(300px, 100%), 1fr));
  align-items: start; }
.grid.small .words { padding: 5px 8px 6px; }
.card.unsure { border-style: dashed; border-color: var(--soft); }
.over, .mask { position: absolute; inset: 0; width: 100%; height: 100%; }
.mask { object-fit: contain; }
.over .b { fill: none; stroke-width: 2.2; vector-effect: non-scaling-stroke; }
.over .halo { stroke: rgb(0 0 0 / .6); stroke-width: 4.2; }
.over .thin { stroke: #fff; stroke-width: 1; stroke-dasharray: 3 2; }
.over text { fill: #17150f; font-weight: 600; }
body:has(#drawn:not(:checked)) :is(.over, .mask) { display: none; }
.toggle { display: inline-flex; gap: 8px; align-items: center; margin-top: 10px; }
.toggle input { accent-color: var(--accent); width: 16px; height: 16px; }
.picture.none { display: grid; place-content: center; }
.picture .broken { padding: 12px 8px; place-content: center; }
.quote { margin: 0 0 6px; font-size: 14px; line-height: 1.5; white-space: pre-wrap;
  overflow-wrap: anywhere; }
.quote mark { padding: 0 3px; border-radius: 4px; color: #17150f; box-decoration-break: clone;
  -webkit-box-decoration-break: clone; }
.quote mark b { margin-left: 4px; font-size: 10px; font-weight: 650; letter-spacing: .03em; }
.votes { margin: 4px 0 0 !important; padding: 0 !important; list-style: none;
  color: var(--text) !important; }
.votes li { display: flex; gap: 8px; justify-content: space-between; padding: 1px 0;
  border-top: 1px solid var(--line); }
.votes bdi { overflow-wrap: anywhere; min-width: 0; }
.votes span { color: var(--soft); text-align: right; overflow-wrap: anywhere; min-width: 0; }
.votes .agrees > bdi { font-weight: 650; }
main > section > p + .group { margin-top: 14px; }
.group { border-top: 1px solid var(--line); }
.group > summary { display: flex; flex-wrap: wrap; gap: 2px 12px; align-items: baseline;
  padding: 10px 0; list-style: none; color: var(--text); }
.group > summary::-webkit-details-marker { display: none; }
.group > summary::before { content: "+"; width: 12px; color: var(--accent); font-weight: 650; }
.group[open] > summary::before { content: "\\2212"; }
.group > summary h3 { color: var(--text); font-size: 15px; letter-spacing: 0;
  text-transform: none; overflow-wrap: anywhere; }
.group > summary span { color: var(--soft); font-size: 14px; }
.page { padding-bottom: 14px; }
.pager { position: sticky; bottom: 0; z-index: 1; display: flex; flex-wrap: wrap; gap: 6px;
  align-items: center; margin: 0 0 12px; padding: 8px 0; border: 0; background: var(--page); }
.pager button { min-width: 34px; padding: 3px 10px; border: 1px solid var(--line);
  border-radius: 99px; background: var(--card); color: var(--text); font: inherit;
  cursor: pointer; }
.pager button[aria-current] { border-color: var(--accent); background: var(--accent-soft); }
.pager button:disabled { opacity: .4; cursor: default; }
.pager output { margin-left: 8px; color: var(--soft); font-size: 13px; }
.commands { width: fit-content; max-width: 100%; margin: 14px 0 0; padding: 12px 18px;
  overflow-x: auto; background: var(--card); border: 1px solid var(--line); border-radius: 12px;
  box-shadow: var(--shade); font-size: 13px; line-height: 1.7; }
.listing { margin: 8px 0 0; padding: 0 0 0 18px; color: var(--soft); font-size: 13px;
  overflow-wrap: anywhere; }
.skip { position: absolute; left: -999px; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%);
  white-space: nowrap; }
.skip:focus { left: 12px; top: 8px; padding: 6px 12px; background: var(--card); z-index: 3; }
@media (max-width: 480px) {
  .chart { padding: 12px 14px 10px; }
  .panel { padding: 4px 14px 10px; }
}
@media (forced-colors: active) {
  .by::before { forced-color-adjust: none; }
  .chart svg { forced-color-adjust: none; background: #fff; }
}
@media print {
  :root { --c-human: #0b6e69; --c-machine: #d9730d; --c-gold: #3b3833; --c-unknown: #8a8477;
    --c-ink: #000; --c-soft: #555; --c-line: #ccc; --c-mat: #eee; --c-bad: #b3261e; }
  .pager, .toggle, .skip, .chart details { display: none; }
  .chart, .panel, tr { break-inside: avoid; }
  .charts { grid-template-columns: 1fr 1fr; }
  .grid.large { grid-template-columns: repeat(4, 1fr); }
  .grid.small { grid-template-columns: repeat(8, 1fr); }
  .by::before, .over, .quote mark { print-color-adjust: exact;
    -webkit-print-color-adjust: exact; }
}
"""
)

# Everything is on the page without it; it fills in pictures that stand there twice, and turns a
# long group into pages.
SCRIPT = """
(() => {
  const all = (what, within) => [...(within || document).querySelectorAll(what)];
  for (const copy of all("img[data-of]")) {
    const held = document.getElementById(copy.dataset.of);
    if (held) copy.src = held.src;
  }
  for (const group of all(".group")) {
    const pages = all(".page", group);
    if (pages.length < 2) continue;
    const nav = document.createElement("nav");
    nav.className = "pager";
    nav.setAttribute("aria-label", "Pages of " + group.dataset.name);
    const said = document.createElement("output");
    const button = (text, label, go) => {
      const made = document.createElement("button");
      made.type = "button";
      made.textContent = text;
      if (label) made.setAttribute("aria-label", label);
      made.addEventListener("click", () => { show(go()); group.scrollIntoView(); });
      nav.append(made);
      return made;
    };
    let now = 0;
    const before = button("\\u2039", "Page before", () => now - 1);
    const numbers = pages.map((_, n) => button(String(n + 1), "", () => n));
    const after = button("\\u203a", "Next page", () => now + 1);
    const show = (n) => {
      now = Math.min(Math.max(n, 0), pages.length - 1);
      pages.forEach((page, k) => { page.hidden = k !== now; });
      numbers.forEach((each, k) => {
        if (k === now) each.setAttribute("aria-current", "page");
        else each.removeAttribute("aria-current");
        const near = Math.abs(k - now) < 3 || k === 0 || k === pages.length - 1;
        each.hidden = !near;
      });
      before.disabled = now === 0;
      after.disabled = now === pages.length - 1;
      said.textContent = pages[now].dataset.range;
    };
    nav.append(said);
    group.append(nav);
    show(0);
  }
})();
"""
