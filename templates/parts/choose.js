// One image or text, one label or several.
const field = fields("category");
const NONE = "None of the above";
const main = $("gt-main");
const side = el("div", { class: "gt-side" });
let count = 0;

function show() {
  if (PAGE.subject === "text") {
    const text = parsed(task.dataset.text || "null");
    const body = el("div", { class: "gt-text", tabindex: "0", role: "group", "aria-label": "The text", dir: "auto" }, typeof text === "string" ? text : "");
    if (!body.textContent.trim()) {
      alertUser("This task has no text to read. Please report it with “Can’t answer”.");
    }
    return body;
  }
  const source = task.dataset.image;
  const frame = el("div", { class: "gt-picture" });
  const fill = () => {
    const image = picture(source, "The image to label", () => {
      unloaded = true;
      frame.replaceChildren(broken(fill));
      say("The image does not load.");
      alertUser("This image does not load. Try again, or report it with “Can’t answer”.");
    });
    image.decoding = "sync";  // the page and its picture appear in one frame
    image.addEventListener("load", () => { unloaded = false; alertUser(""); });
    const open = () => enlarge(source, "The image to label");
    image.addEventListener("click", open);
    frame.replaceChildren(image, el("button", { type: "button", class: "gt-enlarge", "aria-keyshortcuts": "Space", onclick: open }, "Enlarge"));
  };
  fill();
  shortcuts.unshift(["Space", "Enlarge the image"]);
  onKey.push((event) => {
    if (event.key !== " " || !plain(event) || event.target.closest("button, summary, a")) return false;
    enlarge(source, "The image to label");
    return true;
  });
  return frame;
}

const list = choiceList(labels.filter((name) => !PAGE.multi || name !== NONE), {
  multi: PAGE.multi,
  none: PAGE.multi ? NONE : null,
  onchange: (names) => {
    count = names.length;
    field.value = !count ? NOTHING : JSON.stringify(PAGE.multi ? { labels: names } : { label: names[0] });
    status(!count ? "Nothing chosen yet" : PAGE.multi ? names.join(", ") : "Chosen: " + names[0]);
    if (count) alertUser("");
  },
});
side.append(...list.parts);
main.append(el("div", { class: "gt-split" }, show(), side));
status("Nothing chosen yet");
check = () => (count ? "" : PAGE.multi
  ? "Choose every label that fits, or “" + NONE + "”, before you submit."
  : "Choose a label before you submit; if none can be chosen, say why with “Can’t answer”.");
restore = (answer) => {
  const { label, labels: several } = parsed(answer.category) || {};
  list.set(Array.isArray(several) ? several : [label]);
};
clear = () => { field.value = NOTHING; };
