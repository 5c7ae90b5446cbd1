/* What the browser keeps of somebody's work, apart for each index: classes, seeds, what is set aside, options. */

/** The browser's storage, which may be forbidden or full; `set` gives whether it was kept. */
export function browserMemory() {
  return {
    get(key) {
      try { return JSON.parse(localStorage.getItem(key)); } catch { return null; }
    },
    set(key, value) {
      try { localStorage.setItem(key, JSON.stringify(value)); return true; } catch { return false; }
    },
  };
}

const keyOf = ({ name, model, dimension }) => "gandt explore " + JSON.stringify([name, model, dimension]);

const prints = new WeakMap();  // for they can be long, and are kept at every change

/** A number that tells one object from another by what it holds (FNV-1a). */
export function fingerprint(value) {
  if (!value) return 0;
  if (!prints.has(value)) {
    let hash = 0x811c9dc5;
    for (const letter of JSON.stringify(value)) hash = Math.imul(hash ^ letter.codePointAt(0), 0x01000193) >>> 0;
    prints.set(value, hash);
  }
  return prints.get(value);
}

/** Keep the state; gives whether all of it could be kept. */
export function keep(memory, { classes, active, setAside, options, info }) {
  const value = { version: 1, rows: info.rows, given: fingerprint(info.seeds), classes, active, setAside: [...setAside], options };
  if (memory.set(keyOf(info), value)) return true;
  // Uploaded images may be more than a browser keeps: the rest is worth keeping.
  const light = classes.map((one) => ({ ...one, seeds: one.seeds.filter((seed) => !seed.ref.image) }));
  memory.set(keyOf(info), { ...value, classes: light });
  return false;
}

/** What was kept for this index; null where nothing was, or nothing that can be used. */
export function recall(memory, info) {
  const value = memory.get(keyOf(info));
  if (value?.version !== 1 || !Array.isArray(value.classes)) return null;
  const classes = value.classes.filter((one) => typeof one?.name === "string" && Array.isArray(one.seeds)).map((one) => ({
    name: one.name, color: one.color, seeds: one.seeds.filter((seed) => seed?.ref && typeof seed.ref === "object"),
  }));
  // Rows are only ever added: fewer than there were is another index under the same name.
  const same = value.rows <= info.rows && Array.isArray(value.setAside);
  return { ...value, classes, setAside: same ? value.setAside.filter(Number.isInteger) : [] };
}
