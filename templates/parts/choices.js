// A list of labels to choose from: keys, arrows, mouse, and a search box where there are many.
function choiceList(names, { multi, none, onchange }) {
  const chosen = new Set();
  const fold = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  const rows = names.map((name, index) => ({ name, key: KEYS[index] || "", folded: fold(name) }));
  if (none) rows.push({ name: none, key: "0", folded: fold(none), none: true });
  const short = names.every((name) => name.length <= 10);  // two of them beside each other on a phone
  const box = el("div", { class: short ? "gt-choices gt-short" : "gt-choices", role: multi ? "group" : "radiogroup", "aria-labelledby": "gt-question" });
  for (const row of rows) {
    row.node = el("button", {
      type: "button", class: row.none ? "gt-choice gt-none" : "gt-choice", role: multi ? "checkbox" : "radio",
      "aria-checked": "false", tabindex: "-1", "aria-keyshortcuts": row.key || null, onclick: () => choose(row),
    }, el("span", { class: "gt-mark", "aria-hidden": "true" }), el("span", { class: "gt-name", dir: "auto" }, row.name),
    row.key ? el("kbd", { "aria-hidden": "true" }, row.key) : null);
    row.node.addEventListener("focus", () => rove(row));
    box.append(row.node);
  }
  const shown = () => rows.filter((row) => !row.node.hidden);
  const rove = (to) => rows.forEach((row) => { row.node.tabIndex = row === to ? 0 : -1; });
  function render() {
    for (const row of rows) row.node.setAttribute("aria-checked", chosen.has(row.name));
    onchange([...rows].filter((row) => chosen.has(row.name)).map((row) => row.name));
  }
  function choose(row) {
    const on = !chosen.has(row.name);
    if (!multi) { chosen.clear(); chosen.add(row.name); }
    else if (!on) chosen.delete(row.name);
    else {
      if (row.none) chosen.clear();
      else if (none) chosen.delete(none);
      chosen.add(row.name);
    }
    rove(row);
    say(row.name + (multi && !on ? ", taken away" : ", chosen"));
    render();
  }
  function reveal(row) {
    row.node.hidden = false;
    row.node.scrollIntoView({ block: "nearest" });
  }
  function move(step) {
    const visible = shown();
    const at = visible.findIndex((row) => row.node === document.activeElement);
    const to = visible[(at + step + visible.length) % visible.length];
    if (!to) return;
    rove(to);
    to.node.focus();
    if (!multi && at >= 0) choose(to);
  }
  const parts = [];
  let search = null;
  if (names.length > 12) {
    const nothing = el("p", { class: "gt-nothing-found", hidden: true }, "No label matches.");
    search = el("input", { type: "search", placeholder: "Search " + names.length + " labels  ( / )", "aria-label": "Search " + names.length + " labels", autocomplete: "off", "aria-keyshortcuts": "/" });
    const filter = () => {
      const wanted = fold(search.value.trim());
      for (const row of rows) row.node.hidden = !row.none && wanted !== "" && !row.folded.includes(wanted);
      nothing.hidden = rows.some((row) => !row.node.hidden && !row.none);
      const first = shown()[0];
      if (first && !shown().some((row) => row.node.tabIndex === 0)) rove(first);
    };
    search.addEventListener("input", filter);
    search.addEventListener("keydown", (event) => {
      const starts = fold(search.value.trim());
      const hits = shown().filter((row) => !row.none);
      const best = hits.find((row) => row.folded === starts) || hits.find((row) => row.folded.startsWith(starts)) || hits[0];
      if (event.key === "Enter") {
        event.preventDefault();
        if (starts === "" || !best) return;
        search.value = "";
        filter();
        choose(best);
        best.node.focus();
        reveal(best);
      } else if (event.key === "Escape") {
        search.value = "";
        filter();
        search.blur();
      } else if (event.key === "ArrowDown" && hits.length) {
        event.preventDefault();
        hits[0].node.focus();
      }
    });
    parts.push(search, nothing);
    shortcuts.unshift(["/", "Search the labels"]);
  }
  if (rows.length) rows[0].node.tabIndex = 0;
  shortcuts.unshift(["↑ ↓", "Move through the labels"]);
  if (none) shortcuts.unshift(["0", none]);
  shortcuts.unshift([names.length > 9 ? "1 … 9, a … z" : "1 … " + names.length, multi ? "Choose a label, or take it away" : "Choose a label"]);
  onKey.push((event) => {
    if (!plain(event)) return false;
    if (["ArrowDown", "ArrowRight", "ArrowUp", "ArrowLeft"].includes(event.key)) {
      move(event.key === "ArrowDown" || event.key === "ArrowRight" ? 1 : -1);
      return true;
    }
    if (event.key === "/" && search) { search.focus(); return true; }
    if (event.key === "Enter" && box.contains(event.target)) { if (!event.repeat) submit(); return true; }
    const row = rows.find((candidate) => candidate.key && candidate.key === event.key.toLowerCase());
    if (!row) return false;
    choose(row);
    reveal(row);
    return true;
  });
  parts.push(box);
  function set(wanted) {
    chosen.clear();
    for (const row of rows) if (wanted.includes(row.name)) chosen.add(row.name);
    const first = rows.find((row) => chosen.has(row.name));
    if (first) { rove(first); reveal(first); }
    render();
  }
  return { parts, set, nodes: rows.map((row) => row.node) };
}
