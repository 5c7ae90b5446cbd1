"""The look of the contact sheet: one style sheet, light and dark, screen and paper."""

__all__ = ["STYLE"]

STYLE = """
:root {
  color-scheme: light dark;
  --page: #f6f5f2; --card: #ffffff; --mat: #eceae5; --line: #dedbd3;
  --text: #23211d; --soft: #6d685e; --accent: #0b6e69; --accent-soft: #d9efec;
  --explore: #9a4a00; --explore-soft: #fdebd6; --shade: 0 1px 2px rgb(40 35 20 / .07);
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #161613; --card: #21211d; --mat: #2b2b26; --line: #3a3933;
    --text: #eceae3; --soft: #a29d91; --accent: #6fd0c7; --accent-soft: #17403c;
    --explore: #ffb56b; --explore-soft: #46301a; --shade: none;
  }
}
* { box-sizing: border-box; }
html { scroll-behavior: smooth; scroll-padding-top: 4rem; }
body {
  margin: 0; background: var(--page); color: var(--text);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
  font-variant-numeric: tabular-nums; -webkit-text-size-adjust: 100%;
}
a { color: var(--accent); text-decoration: none; }
a:hover { text-decoration: underline; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; border-radius: 4px; }
header, main, footer { max-width: 1500px; margin: 0 auto; padding: 0 clamp(12px, 3vw, 40px); }
header { padding-top: clamp(20px, 4vw, 48px); padding-bottom: 8px; }
.eyebrow {
  margin: 0 0 2px; color: var(--accent); font-size: 12px; font-weight: 650;
  letter-spacing: .09em; text-transform: uppercase;
}
h1 {
  margin: 0; font-size: clamp(1.45rem, 1rem + 2.2vw, 2.3rem); line-height: 1.15;
  letter-spacing: -.018em; text-wrap: balance; overflow-wrap: anywhere;
}
.facts { display: flex; flex-wrap: wrap; gap: 12px 34px; margin: 20px 0 0; }
.facts div { min-width: 0; }
dt { color: var(--soft); font-size: 12px; }
dd { margin: 0; font-weight: 600; overflow-wrap: anywhere; }
.notes {
  margin: 20px 0 0; padding: 10px 16px 10px 32px; max-width: 80ch;
  background: var(--accent-soft); border-radius: 10px;
}
.notes li { overflow-wrap: anywhere; }
.legend { max-width: 80ch; margin: 16px 0 0; color: var(--soft); font-size: 13px; }
nav {
  position: sticky; top: 0; z-index: 2; margin-top: 18px; background: var(--page);
  border-bottom: 1px solid var(--line);
}
nav ul {
  display: flex; gap: 6px; max-width: 1500px; margin: 0 auto; list-style: none;
  padding: 8px clamp(12px, 3vw, 40px); overflow-x: auto; scrollbar-width: thin;
}
nav a {
  display: block; padding: 3px 12px; border: 1px solid var(--line); border-radius: 99px;
  background: var(--card); color: var(--text); white-space: nowrap;
}
nav a span { color: var(--soft); }
section { padding: 26px 0 10px; }
.head { display: flex; flex-wrap: wrap; align-items: end; gap: 4px 24px; }
.head div { flex: 1 1 240px; min-width: 0; }
h2 { margin: 0; font-size: 1.35rem; line-height: 1.25; letter-spacing: -.01em;
  overflow-wrap: anywhere; }
.head p { margin: 0; color: var(--soft); }
.curve { flex: 0 1 260px; margin: 0; color: var(--soft); font-size: 11px; }
.curve svg { display: block; width: 100%; height: 34px; overflow: visible; }
.curve polyline { fill: none; stroke: var(--accent); stroke-width: 2;
  vector-effect: non-scaling-stroke; stroke-linejoin: round; }
.curve polygon { fill: var(--accent); opacity: .13; }
.curve figcaption { display: flex; justify-content: space-between; gap: 10px; }
h3 { margin: 0; color: var(--soft); font-size: 12px; font-weight: 650;
  letter-spacing: .07em; text-transform: uppercase; }
.seeds { width: fit-content; max-width: 100%; margin: 12px 0 18px;
  padding: 10px 14px 12px; border: 1px solid var(--line);
  border-radius: 12px; }
.strip { display: flex; flex-wrap: wrap; gap: 8px; margin: 8px 0 0; padding: 0;
  list-style: none; }
.seed { position: relative; width: 84px; height: 84px; border-radius: 8px; overflow: hidden;
  background: var(--mat); }
.seed img { display: block; width: 100%; height: 100%; object-fit: cover; }
.seed.text { width: auto; height: auto; max-width: 100%; padding: 6px 12px; font-style: italic;
  overflow-wrap: anywhere; }
.seed:target { outline: 3px solid var(--accent); outline-offset: 1px; }
.seed b, .rank {
  position: absolute; left: 5px; top: 5px; min-width: 20px; padding: 0 5px; border-radius: 99px;
  background: rgb(20 20 16 / .66); color: #fff; font-size: 11px; font-weight: 650;
  line-height: 18px; text-align: center;
}
.seed.text b { position: static; display: inline-block; margin-right: 8px; font-style: normal; }
.seeds summary { display: inline-block; margin-top: 8px; }
summary { cursor: pointer; color: var(--accent); }
.grid { display: grid; gap: clamp(8px, 1vw, 14px); margin: 0; padding: 0; list-style: none;
  grid-template-columns: repeat(auto-fill, minmax(min(142px, 46%), 1fr)); }
.card { display: flex; flex-direction: column; min-width: 0; background: var(--card);
  border: 1px solid var(--line); border-radius: 12px; overflow: hidden; box-shadow: var(--shade); }
.card.badged { border-color: var(--explore); border-style: dashed; }
.picture { position: relative; aspect-ratio: 1; background: var(--mat); }
.picture > img { position: absolute; inset: 0; width: 100%; height: 100%; object-fit: contain; }
.badge { position: absolute; right: 5px; top: 5px; padding: 0 8px; border-radius: 99px;
  background: var(--explore-soft); color: var(--explore); font-size: 11px; font-weight: 650;
  line-height: 18px; }
.like { position: absolute; right: 5px; bottom: 5px; width: 36px; height: 36px;
  border: 2px solid var(--card); border-radius: 8px; background: var(--mat) center / cover;
  box-shadow: 0 0 3px rgb(0 0 0 / .3); print-color-adjust: exact;
  -webkit-print-color-adjust: exact; }
.broken { display: grid; place-content: start center; position: absolute; inset: 0;
  padding: 28px 10px 44px; color: var(--soft); font-size: 12px; line-height: 1.35;
  text-align: center; overflow: hidden; overflow-wrap: anywhere; }
.seed .broken { padding: 24px 4px 4px; font-size: 9px; line-height: 1.2; }
.card .words { padding: 7px 10px 9px; font-size: 12px; line-height: 1.45; }
.name { display: block; overflow: hidden; color: var(--soft); text-overflow: ellipsis;
  white-space: nowrap; }
.numbers { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 0 8px; }
.numbers b { font-size: 14px; }
.card ul { margin: 4px 0 0; padding: 0 0 0 14px; color: var(--soft); overflow-wrap: anywhere; }
.none { color: var(--soft); }
footer { padding-top: 22px; padding-bottom: 40px; color: var(--soft); font-size: 12px; }
@media print {
  :root { --page: #fff; --card: #fff; --mat: #f3f3f0; --line: #ccc; --text: #000; --soft: #555;
    --accent: #0b6e69; --accent-soft: #fff; --explore: #9a4a00; --explore-soft: #fff; }
  body { font-size: 10pt; }
  header, main, footer { max-width: none; padding-left: 0; padding-right: 0; }
  nav, .seeds summary { display: none; }
  .grid { grid-template-columns: repeat(6, 1fr); gap: 6px; }
  .card, .seeds, .head { break-inside: avoid; }
  .head, .seeds, h2, h3 { break-after: avoid; }
}
@media (prefers-reduced-motion: reduce) { html { scroll-behavior: auto; } }
"""
