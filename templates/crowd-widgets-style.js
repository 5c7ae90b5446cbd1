/* How the stand-ins of crowd-widgets.js look; a name of its own, for both may be read again. */
globalThis.crowdWidgetsStyle ??= `
  :host { --ground: #f3f5f8; --surface: #fff; --ink: #17212c; --muted: #4b5967; --edge: #77838f; --hair: #d5dce4;
    --accent: #0a58b8; --on-accent: #fff; --tint: #e3eefc; --warn-ground: #fff2cf; --warn-ink: #5f3c00; --shade: #e6eaef;
    display: block; color-scheme: light dark; color: var(--ink); font: 1rem/1.45 system-ui, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif; }
  @media (prefers-color-scheme: dark) {
    :host { --ground: #10151b; --surface: #19212a; --ink: #e8edf3; --muted: #a8b5c3; --edge: #74859a; --hair: #313d4a;
      --accent: #86bbff; --on-accent: #06172b; --tint: #1d3550; --warn-ground: #3c2d06; --warn-ink: #ffe09a; --shade: #0a0e13; } }
  * { box-sizing: border-box; } [hidden] { display: none !important; }
  .page { display: flex; flex-direction: column; min-height: calc(100vh - var(--desk, 0px)); min-height: calc(100dvh - var(--desk, 0px)); background: var(--ground); }
  h1 { margin: 0; padding: .7rem 1rem .2rem; font-size: 1.3rem; line-height: 1.3; font-weight: 650; overflow-wrap: anywhere; }
  h2 { margin: 0 0 .4rem; font-size: .9rem; color: var(--muted); }
  .columns { flex: 1; display: grid; grid-template-columns: minmax(0, 16rem) minmax(0, 1fr) minmax(0, 17rem); gap: 1rem; padding: .6rem 1rem 1rem; align-items: start; }
  .panel { background: var(--surface); border: 1px solid var(--hair); border-radius: .6rem; padding: .7rem .8rem; overflow-wrap: anywhere; min-width: 0; }
  summary { cursor: pointer; color: var(--accent); font-weight: 600; padding: .25rem 0; width: fit-content; }
  .columns > * { grid-row: 1; } .guide { grid-column: 1; } .answer { grid-column: 3; }
  .subject { grid-column: 2; min-width: 0; position: sticky; top: .6rem; }
  .stage { position: relative; width: min(100%, 75vh * var(--ratio, 1), 4px * var(--across, 200)); margin: 0 auto; background: var(--shade); user-select: none; }
  .stage.draw { cursor: crosshair; touch-action: none; } .stage img { display: block; width: 100%; height: auto; }
  .stage .mask { position: absolute; inset: 0; height: 100%; mix-blend-mode: multiply; opacity: .7; image-rendering: pixelated; }
  .box { position: absolute; border: 3px solid var(--color); outline: 1px solid #fff; background: color-mix(in srgb, var(--color) 14%, transparent); padding: 0; margin: 0; }
  .box span { position: absolute; left: -3px; top: -3px; background: #fff; color: #000; font: 600 .75rem/1.3 system-ui, sans-serif; padding: 0 .3rem; max-width: 12rem; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; border-bottom: 2px solid var(--color); pointer-events: none; }
  .broken { padding: 1rem; background: var(--warn-ground); color: var(--warn-ink); border-radius: .5rem; overflow-wrap: anywhere; }
  fieldset { border: 0; margin: 0; padding: 0; min-width: 0; } legend { padding: 0; margin-bottom: .35rem; font-weight: 650; }
  .choice { display: flex; gap: .6rem; align-items: center; min-height: 2.75rem; padding: .35rem .5rem; border: 1px solid transparent; border-radius: .5rem; cursor: pointer; }
  .choice:hover { background: var(--tint); } .choice:has(:checked) { border-color: var(--accent); background: var(--tint); }
  .choice input { width: 1.2rem; height: 1.2rem; margin: 0; flex: none; accent-color: var(--accent); } .choice .name, li .name { flex: 1; min-width: 0; }
  .swatch { width: 1rem; height: 1rem; flex: none; border-radius: .2rem; border: 1px solid var(--edge); background: var(--color); }
  kbd { font: 600 .8rem/1.2 ui-monospace, "DejaVu Sans Mono", monospace; color: var(--muted); border: 1px solid var(--edge); border-radius: .3rem; padding: .12rem .38rem; background: var(--surface); flex: none; }
  textarea { font: inherit; width: 100%; min-height: 5rem; color: inherit; background: var(--surface); border: 1px solid var(--edge); border-radius: .5rem; padding: .5rem .7rem; }
  button, ::slotted(crowd-button) { font: inherit; color: inherit; cursor: pointer; border-radius: .5rem; border: 1px solid var(--edge); background: var(--surface); padding: .5rem .9rem; min-height: 2.75rem; }
  button.box { cursor: move; border-radius: 0; min-height: 0; }
  ::slotted(crowd-button) { display: inline-flex; align-items: center; background: var(--accent); color: var(--on-accent); border-color: var(--accent); font-weight: 650; padding-inline: 1.6rem; }
  :focus-visible, ::slotted(crowd-button:focus-visible) { outline: .19rem solid var(--accent); outline-offset: .13rem; }
  fieldset + *, ul + * { margin-top: .8rem; } ul { list-style: none; margin: .6rem 0 0; padding: 0; }
  li { display: flex; gap: .5rem; align-items: center; padding: .15rem 0; }
  .hint { color: var(--muted); font-size: .9rem; margin: .6rem 0 0; }
  footer { position: sticky; bottom: 0; z-index: 2; display: flex; flex-wrap: wrap; gap: .5rem 1rem; align-items: center; justify-content: flex-end; padding: .55rem 1rem; background: var(--surface); border-top: 1px solid var(--hair); }
  .alert { flex: 1 1 16rem; margin: 0; padding: .5rem .8rem; border-radius: .5rem; background: var(--warn-ground); color: var(--warn-ink); overflow-wrap: anywhere; }
  ::slotted(classification-target) { display: block; background: var(--surface); border: 1px solid var(--hair); border-radius: .6rem; padding: 1rem; font-size: 1.1rem; overflow-wrap: anywhere; }
  @media (max-width: 60rem) {
    .columns { grid-template-columns: minmax(0, 1fr) minmax(0, 16rem); }
    .subject { grid-column: 1; } .answer { grid-column: 2; } .guide { grid-column: 1 / -1; grid-row: 2; } }
  @media (max-width: 40rem) {
    .columns { grid-template-columns: minmax(0, 1fr); padding-inline: .6rem; }
    .columns > * { grid-column: 1; grid-row: auto; } .subject { position: static; } }`;
