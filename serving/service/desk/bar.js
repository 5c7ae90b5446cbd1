/* The bar above a worker page: progress, the way back, and answers that arrive.

   It knows the page by what every crowd-form does (`crowd-answer`, `crowd-saved`, `crowd-failed`)
   and, for showing an earlier answer again, by the controls of G&T's own pages. */
(() => {
  "use strict";
  const $ = (id) => document.getElementById(id);
  const bar = $("desk");
  const desk = JSON.parse(bar.dataset.desk);
  const AWAY = 60000;  // milliseconds without a key or a pointer that are no work
  const EVERY = 15000;  // milliseconds from one look at the server to the next
  const own = document.currentScript.nonce;
  let looking = 0;
  let left = false;

  // ---- numbers
  function show(progress) {
    const total = progress.done + progress.left;
    const count = $("desk-count");
    count.replaceChildren(Object.assign(document.createElement("b"), { textContent: String(progress.done) }), " of " + total);
    count.title = progress.done + " done, at most " + progress.left + " to do" + (progress.skipped ? ", " + progress.skipped + " of them without an answer" : "");
    $("desk-more").textContent = progress.words.join(" · ");
    const line = $("desk-line");
    line.setAttribute("aria-valuemax", String(total));
    line.setAttribute("aria-valuenow", String(progress.done));
    line.firstElementChild.style.width = (total ? 100 * progress.done / total : 0) + "%";
  }
  $("desk-who").textContent = desk.person;
  $("desk-who").title = "You answer as " + desk.person + (desk.who ? "; let somebody else sit down" : "");
  if (desk.who) $("desk-who").href = desk.who;
  if (desk.progress) show(desk.progress);
  else $("desk-line").hidden = true;

  function fit() { if (!left) document.documentElement.style.setProperty("--desk", bar.offsetHeight + "px"); }
  new ResizeObserver(fit).observe(bar);
  fit();

  let telling = 0;
  function tell(text, later, milliseconds) {  // what is said now, and what a while after
    clearTimeout(telling);
    $("desk-saved").textContent = text;
    if (later !== text) telling = setTimeout(() => { $("desk-saved").textContent = later; }, milliseconds);
  }
  if (desk.saved) tell("✓ Saved", "", 2500);

  function alertUser(text, action) {
    const box = $("desk-alert");
    box.firstElementChild.textContent = text;
    box.querySelectorAll("button").forEach((button) => button.remove());
    if (action) {
      const button = Object.assign(document.createElement("button"), { type: "button", textContent: action[0] });
      button.addEventListener("click", action[1]);
      box.append(button);
    }
    box.hidden = !text;
  }

  // ---- time at work, for the record of the answer
  let worked = 0;
  let since = performance.now();
  let active = since;
  let touched = false;  // since the server was last told
  function tick() {
    const now = performance.now();
    if (document.visibilityState === "visible") worked += Math.max(0, Math.min(now, active + AWAY) - since);
    since = now;
  }
  for (const kind of ["keydown", "pointerdown", "pointermove", "wheel"]) {
    addEventListener(kind, () => { tick(); active = performance.now(); touched = true; }, { passive: true, capture: true });
  }
  document.addEventListener("visibilitychange", () => {
    const now = performance.now();
    if (document.visibilityState === "visible") since = now;
    else { worked += Math.max(0, Math.min(now, active + AWAY) - since); since = now; }
  });
  function seconds() { tick(); return (worked / 1000).toFixed(2); }

  // ---- the answer goes out, and arrives
  let pending = null;
  const swaps = desk.swaps && !desk.review && !desk.revision && location.pathname === "/";
  function address() { return desk.action + (desk.action.includes("?") ? "&" : "?") + "revision=" + desk.revision + "&seconds=" + seconds() + (swaps ? "&ahead" : ""); }
  document.addEventListener("crowd-answer", (event) => {
    pending = event.detail;
    event.target.dataset.action = address();
    alertUser("");
    tell("", "Saving …", 400);  // the answer before was saved, not this one
  }, true);
  document.addEventListener("crowd-saved", (event) => go(event.detail || {}));
  document.addEventListener("crowd-failed", (event) => {
    event.preventDefault();
    const status = /\((\d{3})\)/.exec(event.detail);
    explain(status ? Number(status[1]) : 0);
  });
  function go({ next, page, nonce }) {
    left = true;
    pending = null;
    clearInterval(looking);
    clearTimeout(telling);
    clearTimeout(explain.timer);
    if (!page || !swaps || next !== location.pathname) { location.replace(next || desk.forth); return; }
    // The next page came with the answer. Written over this one it is there at once, where a load
    // would take the browser twice as long. All of a page goes, listeners too; the policy stays.
    // The window stays as well: what it was about to do for this page, it would do to the next.
    const last = setTimeout(() => {});  // timers and intervals are counted as one
    for (let id = window.deskTimers || 0; id <= last; id += 1) clearTimeout(id);
    window.deskTimers = last;
    for (const image of document.images) image.removeAttribute("src");
    document.open();
    document.write(page.replaceAll(nonce, own));
    document.close();
    scrollTo(0, 0);
  }
  function explain(status) {
    tell("", "");
    const retry = ["Try again", () => send()];
    const reload = ["Load the page again", () => { left = true; location.replace(desk.forth); }];
    if (status === 409) alertUser("This task has another answer of yours already, perhaps from another window. Nothing was changed.", reload);
    else if (status === 401) alertUser("The desk does not know you any more: " + (desk.who ? "say your name again" : "open the link that you were given") + ". What you chose was not saved.", reload);
    else if (status === 403 || status === 404) alertUser("This task is not yours any more, so the answer was not saved.", reload);
    else if (status && status < 500 && status !== 429) alertUser("The answer was not saved (" + status + "): it cannot be taken as it is.", retry);
    else {
      alertUser(status ? "The answer is not saved yet (" + status + "). It is sent again in a moment." : "The answer is not saved yet, for the desk cannot be reached. It is sent again every few seconds: keep this page open.", retry);
      clearTimeout(explain.timer);
      explain.timer = setTimeout(send, 3000);
    }
  }
  async function send() {
    clearTimeout(explain.timer);
    if (pending === null || left) return;
    let status = 0;
    try {
      const reply = await fetch(address(), {
        method: "POST", credentials: "same-origin", headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ answerContent: pending }),
      });
      if (reply.ok) { go(await reply.json()); return; }
      status = reply.status;
    } catch { /* not reached */ }
    explain(status);
  }
  function drawn() {  // and not submitted: leaving the page would lose it
    const undo = $("gt-undo");  // where it can be pressed, there is something to undo
    return Boolean(undo && !undo.hidden && !undo.disabled) || Boolean(document.querySelector("crowd-bounding-box")?.unsent);
  }
  addEventListener("beforeunload", (event) => { if ((pending !== null || drawn()) && !left) event.preventDefault(); });

  // ---- a page without a way out gets one
  function skipDialog() {
    const box = document.createElement("dialog");
    box.className = "desk-dialog";
    const title = Object.assign(document.createElement("h2"), { textContent: "Why can’t it be answered?" });
    const reason = Object.assign(document.createElement("textarea"), { rows: 2, maxLength: 500 });
    reason.setAttribute("aria-label", "Reason");
    const actions = Object.assign(document.createElement("div"), { className: "desk-actions" });
    const cancel = Object.assign(document.createElement("button"), { type: "button", textContent: "Go back" });
    const skip = Object.assign(document.createElement("button"), { type: "button", textContent: "Skip the task", disabled: true });
    reason.addEventListener("input", () => { skip.disabled = !reason.value.trim(); });
    cancel.addEventListener("click", () => box.close());
    skip.addEventListener("click", async () => {
      try {
        const reply = await fetch(address(), {
          method: "POST", credentials: "same-origin", headers: { "Content-Type": "application/json" },
          body: JSON.stringify({ skip: reason.value.trim() }),
        });
        box.close();
        if (reply.ok) go(await reply.json());
        else if (reply.status < 500 && reply.status !== 429) explain(reply.status);
        else alertUser("The task was not skipped (" + reply.status + "): skip it again.");  // nothing is pending that would be sent again
      } catch { box.close(); alertUser("The desk cannot be reached: skip the task again."); }
    });
    box.addEventListener("keydown", (event) => event.stopPropagation());
    box.addEventListener("close", () => box.remove());
    actions.append(cancel, skip);
    box.append(title, reason, actions);
    document.body.append(box);
    box.showModal();
  }
  $("desk-skip").addEventListener("click", skipDialog);

  // ---- back and forth
  const back = $("desk-back");
  back.disabled = !desk.back;
  back.addEventListener("click", goBack);
  function goBack() { if (desk.back) leave(desk.back, "going back", "Go back"); }
  function leave(to, doing, what) {
    const go = () => location.replace(to);
    if (pending !== null || !drawn()) go();
    else alertUser("What you did here is not submitted yet, and " + doing + " loses it.", [what + " without it", () => { left = true; go(); }]);
  }
  function typing(target) {
    return target instanceof HTMLElement && (target.isContentEditable || target instanceof HTMLTextAreaElement ||
      (target instanceof HTMLInputElement && !["checkbox", "radio", "button"].includes(target.type)));
  }
  addEventListener("keydown", (event) => {  // on the window, so after the page's own
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (typing(event.target) || document.querySelector("dialog[open]")) return;
    // Where Backspace deletes what was drawn, it may come once too often.
    const deletes = event.key === "Backspace" && document.querySelector("#gt-undo:not([hidden]), crowd-bounding-box, crowd-semantic-segmentation");
    if ((event.key === "[" || event.key === "Backspace") && desk.back && !deletes) { event.preventDefault(); goBack(); }
    else if (event.key === "]" && desk.revision) { event.preventDefault(); leave(desk.forth, "going on", "Go on"); }
  });

  // ---- an earlier answer is shown again, in words here and by the page in its own way
  function parsed(text) { try { return JSON.parse(text); } catch { return null; } }
  function words(answer) {
    const said = [];
    for (const [field, value] of Object.entries(answer)) {
      const found = typeof value === "string" ? parsed(value) : value;
      if (field === "problem" || !found || typeof found !== "object") continue;
      if (Array.isArray(found.labels)) said.push(...found.labels.map(String));
      else if (found.label) said.push(String(found.label));
      for (const [key, one, many] of [["boundingBoxes", "box", "boxes"], ["entities", "mark", "marks"]]) {
        const count = Array.isArray(found[key]) ? found[key].length : -1;
        if (count >= 0) said.push(count ? count + " " + (count === 1 ? one : many) : "that there is nothing to mark");
      }
    }
    const { problem } = answer;
    if (typeof problem === "string" && problem && !Array.isArray(parsed(problem))) said.push("that it cannot be answered: " + problem);
    return said;
  }

  addEventListener("DOMContentLoaded", () => {
    $("desk-skip").hidden = Boolean($("gt-report")) || desk.review;
    const note = $("desk-before").firstElementChild;
    note.append(desk.note);
    if (desk.previous) {
      document.querySelector("crowd-form")?.restore?.(desk.previous);
      const said = words(desk.previous);
      if (said.length) {
        note.append(" ", desk.whose ? Object.assign(document.createElement("bdi"), { textContent: desk.whose }) : "You", " said ");
        said.forEach((text, at) => note.append(at ? ", " : "", Object.assign(document.createElement("bdi"), { textContent: text })));
        note.append(".");
      }
      note.append(desk.review ? "" : " Submit to change it.");
      if (document.activeElement instanceof HTMLElement) document.activeElement.blur();
    }
    $("desk-before").hidden = !desk.note;
    fit();
  });
  addEventListener("load", () => {
    for (const source of desk.ahead) new Image().src = source;
  });

  // ---- the server is asked now and then how far everybody is, and told who is still at work
  async function look() {
    if (left || document.visibilityState !== "visible") return;
    try {
      const reply = await fetch("/progress" + (touched && !desk.revision && !desk.review ? "?task=" + desk.task : ""), { credentials: "same-origin" });
      touched = false;
      const progress = reply.ok ? await reply.json() : null;
      if (progress && !left) show(progress);
    } catch { /* the next look may go better; an answer says so itself */ }
  }
  looking = desk.progress ? setInterval(look, EVERY) : 0;
})();
