/* The selection that follows what somebody does: a moment after a change the service is asked anew, one
   question at a time, the newest wins. While the answer is on its way the last one stays. */

import { isAbort } from "./api.js";
import { later, say, plural } from "./dom.js";

export const PREVIEW = 60;  // candidates that are asked for while somebody is choosing
const AT_LEAST = 6;  // of a class with a quota of so many
const USUAL = 50;  // images of a class, where none is said
const PAUSE = 250;  // milliseconds without a change until the service is asked

/** Classes that candidates are wanted for: those with seeds, but for the contrast class. */
export function targets(store) {
  const other = store.state.info?.other ?? "Other";
  return store.state.classes.filter((one) => one.seeds.length && one.name !== other);
}

/** How many images of each class, by name, where that is what the options say; else null. A class that came
    later gets as many as the others have on average. */
export function quotasOf(store) {
  const { quotas, per_class: each } = store.state.options;
  if (!quotas || each) return null;
  const given = Object.values(quotas).filter((count) => count > 0);
  const usual = given.length ? Math.round(given.reduce((sum, count) => sum + count, 0) / given.length) : USUAL;
  return Object.fromEntries(targets(store).map(({ name }) => [name, Object.hasOwn(quotas, name) ? quotas[name] : usual]));
}

/** How many candidates the options ask for. */
export function wanted(store) {
  const { budget, per_class: each } = store.state.options, quotas = quotasOf(store);
  if (quotas) return Object.values(quotas).reduce((sum, count) => sum + count, 0);
  return each ? each * Math.max(1, targets(store).length) : budget;
}

/** What /v1/select and /v1/save are asked; null without a class to look for. `whole`: as many as the
    options say, not the few that are enough to see what comes. */
export function requestOf(store, whole) {
  const chosen = targets(store), quotas = quotasOf(store), all = wanted(store);
  if (!chosen.length || !all) return null;
  const { options, setAside, info } = store.state;
  const few = (count, least = 1) => (whole || all <= PREVIEW ? count : Math.min(count, Math.max(least, Math.floor(count * PREVIEW / all))));
  const byClass = Object.entries(quotas ?? {}).filter(([, count]) => count > 0).map(([name, count]) => [name, few(count, AT_LEAST)]);
  return {
    seeds: store.seeds(),
    budget: few(options.budget),
    per_class: options.per_class ? few(options.per_class) : null,
    quotas: quotas ? Object.fromEntries(byClass) : null,
    strategy: options.strategy, min_similarity: options.min_similarity, diversity: options.diversity,
    explore: options.explore, duplicates: options.duplicates, random_seed: options.random_seed,
    other: info.other, exclude: [...setAside].map((id) => ({ id })),
  };
}

class Live {
  begin(store, api) {
    if (this.store) return this;
    Object.assign(this, { store, api, asked: "", whole: false, error: null, abort: null });
    this.soon = later(() => this.run(), PAUSE);
    for (const event of ["classes", "aside", "options", "info"]) store.on(event, () => this.changed());
    this.changed();
    return this;
  }

  changed() {
    if (!this.store.state.info) return;
    const body = requestOf(this.store, false);
    const asked = JSON.stringify(body);
    if (asked === this.asked) return;
    this.whole = false;
    this.plan(asked, body);
    if (body) this.soon(); else this.clear();
  }

  plan(asked, body) {
    this.abort?.abort();
    Object.assign(this, { asked, body, abort: null });
    this.store.setBusy(Boolean(body));
  }

  clear() {
    this.soon.cancel();
    this.error = null;
    this.store.setBusy(false);
    if (this.store.state.selection) this.store.setSelection(null); else this.store.emit("selection");
  }

  /** Ask for as many as the options say. */
  all() {
    const body = requestOf(this.store, true);
    if (!body) return;
    this.soon.cancel();
    this.whole = true;
    this.abort?.abort();
    this.body = body;
    this.store.setBusy(true);
    this.run();
  }

  /** Ask again what could not be answered. */
  again() { if (this.whole) this.all(); else { this.asked = ""; this.changed(); } }

  async run() {
    const { store, api, body, whole } = this, abort = new AbortController();
    this.abort = abort;
    const mine = () => this.abort === abort;
    try {
      const reply = await api.select(body, abort.signal);
      if (!mine()) return;
      this.error = null;
      store.setSelection({ ...reply, whole: whole || wanted(store) <= PREVIEW });
      if (whole) say(plural(reply.candidates.length, "candidate") + ".");
    } catch (error) {
      if (!mine() || isAbort(error)) return;
      this.error = error;
      store.emit("selection");
      say(error.message);
    } finally {
      if (mine()) { this.abort = null; store.setBusy(false); }
    }
  }
}

export const live = new Live();
