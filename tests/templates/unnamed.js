// Everything that a screen reader would find without a name, and ids that are there twice.
const referred = (node) => (node.getAttribute("aria-labelledby") || "").split(" ")
  .map((id) => (document.getElementById(id) || {}).textContent || "").join("");
const name = (node) => (node.getAttribute("aria-label") || node.textContent || "").trim()
  || [...(node.labels || [])].map((label) => label.textContent).join("") || referred(node);
const live = ["gt-say", "gt-alert"];
const wanted = "button, input:not([type=hidden]), textarea, summary, dialog, [role], [tabindex='0']";
const unnamed = [...document.querySelectorAll(wanted)]
  .filter((node) => !node.closest("crowd-button") && !live.includes(node.id) && !name(node));
const pictures = [...document.images].filter((image) => !image.hasAttribute("alt"));
const ids = [...document.querySelectorAll("[id]")].map((node) => node.id);
const page = document.querySelectorAll("h1").length === 1 && document.documentElement.lang && document.title;
return [
  ...[...unnamed, ...pictures].map((node) => node.outerHTML.slice(0, 120)),
  ...(page ? [] : ["one heading, a language and a title are needed"]),
  ...ids.filter((id, at) => ids.indexOf(id) !== at),
];
