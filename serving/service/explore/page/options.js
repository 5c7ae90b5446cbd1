/* How candidates are chosen, in plain words: how many, by which strategy, how varied. */

import { el, number, sign } from "./dom.js";
import { quotasOf, targets, wanted } from "./live.js";

const COUNTS = { all: "in all", each: "of each class", quotas: "by class" };
const EACH = 50;  // of each class, to begin with

export function mountOptions(element, store) {
  const parts = {};
  const line = el("span", { class: "options-line" });
  const how = el("select", { "aria-label": "How the number is meant" }, Object.entries(COUNTS).map(([value, text]) => el("option", { value, text })));
  const count = el("input", { type: "number", min: 1, step: 1, required: true, "aria-label": "How many images", inputMode: "numeric" });
  const quotas = el("div", { class: "options-quotas", hidden: true });
  const strategy = el("select", { id: "option-strategy" });
  const about = el("p", { class: "options-about", id: "option-strategy-about" });
  strategy.setAttribute("aria-describedby", about.id);
  const diversity = slider("option-diversity", 0, 1, 0.1);
  const explore = slider("option-explore", 0, 0.5, 0.05);
  const least = el("input", { type: "number", id: "option-least", min: -1, max: 1, step: 0.05, placeholder: "none" });
  element.replaceChildren(el("details", { class: "options" }, el("summary", {}, el("span", { text: "Options" }), line),
    el("div", { class: "option" }, el("span", { class: "option-name", text: "Images to choose" }), el("div", { class: "option-row" }, count, how), quotas),
    el("div", { class: "option" }, el("label", { htmlFor: strategy.id, text: "How they are chosen" }), strategy, about),
    option("Variety", diversity, (value) => (value === 0 ? "the best, however alike" : value === 1 ? "as different as can be" : Math.round(100 * value) + " % different"), parts, "diversity"),
    option("Drawn at random", explore, (value) => (value === 0 ? "none" : Math.round(100 * value) + " %, to see what the rest misses"), parts, "explore"),
    el("div", { class: "option" }, el("label", { htmlFor: least.id, text: "Least similarity to a seed" }), least,
      el("p", { class: "options-about", text: "From −1 to 1; empty for no limit. Fewer images may come." })),
  ));

  // ---- from hands to the store

  how.addEventListener("change", () => {
    const mode = how.value;
    const each = Math.max(1, Math.floor(store.state.options.budget / Math.max(1, targets(store).length)));
    store.setOption("per_class", mode === "each" ? Math.min(EACH, each) : null);
    store.setOption("quotas", mode === "quotas" ? Object.fromEntries(targets(store).map((one) => [one.name, each])) : null);
    render();
  });
  const most = () => store.state.info?.limits?.budget ?? 10_000;
  const whole = (field) => {
    const value = Number(field.value), good = field.value !== "" && Number.isInteger(value) && value >= Number(field.min) && value <= most();
    field.setCustomValidity(good ? "" : "A whole number from " + field.min + " to " + number(most()) + ".");
    field.setAttribute("aria-invalid", String(!good));
    return good ? value : null;
  };
  count.addEventListener("input", () => {
    const value = whole(count);
    if (value !== null) store.setOption(how.value === "each" ? "per_class" : "budget", value);
  });
  count.addEventListener("change", () => { if (!count.reportValidity()) render(true); });
  strategy.addEventListener("change", () => store.setOption("strategy", strategy.value));
  diversity.addEventListener("input", () => store.setOption("diversity", Number(diversity.value)));
  explore.addEventListener("input", () => store.setOption("explore", Number(explore.value)));
  least.addEventListener("input", () => {
    if (!least.validity.valid) return;
    store.setOption("min_similarity", least.value === "" ? null : Number(least.value));
  });
  least.addEventListener("change", () => { if (!least.reportValidity()) render(true); });

  // ---- from the store to what is seen

  function render(hard = false) {
    const { info, options } = store.state;
    if (!info) return;
    const kind = options.per_class ? "each" : options.quotas ? "quotas" : "all";
    const put = (field, value) => { if (hard === true || document.activeElement !== field) { field.value = value; field.setCustomValidity?.(""); field.removeAttribute("aria-invalid"); } };
    how.value = kind;
    put(count, kind === "each" ? options.per_class : kind === "quotas" ? wanted(store) : options.budget);
    count.max = most();
    count.disabled = kind === "quotas";
    drawQuotas(kind === "quotas");
    if (strategy.options.length !== info.strategies.length) {
      strategy.replaceChildren(...info.strategies.map((one) => el("option", { value: one.name, text: one.name })));
    }
    strategy.value = options.strategy;
    about.textContent = sentence(info.strategies.find((one) => one.name === options.strategy)?.about ?? "");
    put(diversity, options.diversity);
    put(explore, options.explore);
    put(least, options.min_similarity ?? "");
    for (const show of Object.values(parts)) show();
    const many = kind === "each" ? number(options.per_class) + " of each class" : kind === "quotas" ? number(wanted(store)) + " by class" : number(options.budget) + " images";
    const more = [many, options.strategy];
    if (options.diversity) more.push("varied");
    if (options.explore) more.push(Math.round(100 * options.explore) + " % at random");
    if (options.min_similarity !== null) more.push("≥ " + options.min_similarity);
    line.textContent = more.join(" · ");
  }

  function drawQuotas(on) {
    quotas.hidden = !on;
    if (!on) { quotas.replaceChildren(); return; }
    const chosen = targets(store), known = quotasOf(store), fields = () => [...quotas.querySelectorAll("input")];
    const had = document.activeElement?.dataset?.quota;
    if (!quotas.childElementCount || fields().map((field) => field.dataset.quota).join("\n") !== chosen.map((one) => one.name).join("\n")) {
      quotas.replaceChildren(...chosen.map((one) => quotaRow(one)), el("p", { class: "options-about" }));
      if (had) fields().find((field) => field.dataset.quota === had)?.focus();
    }
    for (const field of fields()) if (document.activeElement !== field) field.value = known[field.dataset.quota] || "";
    const sum = wanted(store), much = sum > most();
    quotas.lastElementChild.textContent = !chosen.length ? "Classes appear here with their first seed." : much ? "That is " + number(sum) + " in all; " + number(most()) + " are the most."
      : sum ? "Classes left empty get none." : "Say for one class at least how many.";
    quotas.lastElementChild.classList.toggle("bad", much || (chosen.length > 0 && !sum));
  }

  function quotaRow(one) {
    const field = el("input", { type: "number", min: 0, step: 1, placeholder: "none", "aria-label": "Images of " + one.name, data: { quota: one.name } });
    const take = () => {
      const value = field.value === "" && field.validity.valid ? 0 : whole(field);
      if (value === null) return;
      field.setCustomValidity("");
      store.setOption("quotas", { ...store.state.options.quotas, [one.name]: value });
    };
    for (const event of ["input", "change"]) field.addEventListener(event, take);
    return el("label", { class: "option-quota" }, sign(store, one.name), el("bdi", { text: one.name }), field);
  }

  for (const event of ["info", "options", "classes"]) store.on(event, (hard) => render(hard));
  render();
}

function slider(id, min, max, step) { return el("input", { type: "range", id, min, max, step }); }

function option(name, field, words, parts, key) {
  const told = el("output", { class: "options-about", htmlFor: field.id });
  parts[key] = () => {
    told.textContent = words(Number(field.value));
    field.setAttribute("aria-valuetext", told.textContent);
  };
  field.addEventListener("input", parts[key]);
  return el("div", { class: "option" }, el("label", { htmlFor: field.id, text: name }), field, told);
}

function sentence(text) { return text ? text[0].toUpperCase() + text.slice(1) + "." : ""; }
