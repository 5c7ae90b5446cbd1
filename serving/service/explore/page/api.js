/* The service over HTTP. What goes wrong is an ApiError with one sentence for people.

   A busy service (429, 503) is asked again by itself after the time that it names, a few times;
   meanwhile `waiting` listeners are told, so that the page can say so. */

const TRIES = 4;  // of a busy service, the first included
const LONGEST = 30;  // seconds that are waited for at most
const PATIENCE = 120;  // seconds until a request that got no answer is given up
const IDS = 500;  // images that are asked for at once
export const SIZES = [128, 256, 512, 1024];  // longer sides of thumbnails, in pixels

const UNREACHED = "The service cannot be reached. Is “gandt serve” still running?";
const STRANGE = "The service answered with something that this page does not understand. Load the page again.";

export class ApiError extends Error {
  /** `status` is 0 where no answer came; `field` names what was wrong in the request, or is null. */
  constructor(message, status = 0, field = null) {
    super(message);
    this.name = "ApiError";
    this.status = status;
    this.field = field;
  }
}

/** Whether an error only says that somebody did not want the answer any more. */
export const isAbort = (error) => error?.name === "AbortError";

const listeners = new Set();
/** Call `fn(seconds)` when a busy service is waited for, and `fn(0)` when it answered again. */
export function onWaiting(fn) { listeners.add(fn); return () => listeners.delete(fn); }
const waiting = (seconds) => { for (const fn of listeners) fn(seconds); };

/** Wait, or throw an AbortError as soon as the signal says so. */
export function pause(seconds, signal) {
  return new Promise((resolve, reject) => {
    const stop = () => { clearTimeout(timer); reject(new DOMException("Not wanted any more.", "AbortError")); };
    const timer = setTimeout(() => { signal?.removeEventListener("abort", stop); resolve(); }, 1000 * seconds);
    if (signal?.aborted) stop();
    signal?.addEventListener("abort", stop, { once: true });
  });
}

/** Seconds that a reply asks to wait for. */
export function retryAfter(reply, attempt = 0) {
  const told = Number(reply.headers.get("Retry-After"));
  return Math.min(LONGEST, Math.max(0.2, Number.isFinite(told) && told > 0 ? told : 2 ** attempt));
}

async function sentence(reply) {
  let told = null;
  try { told = await reply.json(); } catch { /* the status has to do */ }
  if (typeof told?.error === "string") return new ApiError(told.error, reply.status, told.field ?? null);
  const known = {
    401: "The service does not know you: open the link that it printed.",
    413: "What was sent is larger than the service takes.",
    429: "The service is busy. Try again in a moment.",
  };
  return new ApiError(known[reply.status] ?? "The service could not answer (" + reply.status + ").", reply.status);
}

async function ask(path, { body, signal, binary = false } = {}) {
  const options = { credentials: "same-origin", headers: { Accept: binary ? "application/octet-stream" : "application/json" } };
  if (body !== undefined) {
    options.method = "POST";
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  for (let attempt = 0; ; attempt += 1) {
    const reply = await send(path, options, signal);
    if (attempt) waiting(0);
    if (reply.ok) {
      try {
        return binary ? await reply.arrayBuffer() : await reply.json();
      } catch (error) {
        if (isAbort(error)) throw error;
        throw new ApiError(STRANGE, reply.status);
      }
    }
    if ((reply.status !== 429 && reply.status !== 503) || attempt >= TRIES - 1) throw await sentence(reply);
    const seconds = retryAfter(reply, attempt);
    waiting(seconds);
    await pause(seconds, signal).catch((error) => { waiting(0); throw error; });
  }
}

async function send(path, options, signal) {
  const clock = new AbortController();
  const timer = setTimeout(() => clock.abort(), 1000 * PATIENCE);
  const stop = () => clock.abort();
  if (signal?.aborted) stop();
  signal?.addEventListener("abort", stop, { once: true });
  try {
    return await fetch(path, { ...options, signal: clock.signal });
  } catch (error) {
    if (signal?.aborted) throw new DOMException("Not wanted any more.", "AbortError");
    throw new ApiError(isAbort(error) ? "The service did not answer in " + PATIENCE + " seconds." : UNREACHED);
  } finally {
    clearTimeout(timer);  // the signal stays connected: it has to reach a body that is still on its way
  }
}

let edition = "";  // of the pool: pictures asked for with it may be kept by the browser

export const api = {
  async info(signal) {
    const info = await ask("/v1/info", { signal });
    edition = info.edition ? "v=" + encodeURIComponent(info.edition) : "";
    return info;
  },
  images: (start, count, signal) => ask("/v1/images?start=" + start + "&count=" + count, { signal }),
  image: (id, signal) => ask("/v1/images/" + id, { signal }),
  search: (body, signal) => ask("/v1/search", { body, signal }),
  select: (body, signal) => ask("/v1/select", { body, signal }),
  save: (body, signal) => ask("/v1/save", { body, signal }),
  map: (signal) => ask("/v1/map", { signal }),
  mapPoints: (signal) => ask("/v1/map/points", { signal, binary: true }),
};

/** Records of images by id; those that left the pool are missing. */
api.known = async (ids, signal) => {
  const found = new Map();
  for (let start = 0; start < ids.length; start += IDS) {
    for (const one of await ofIds(ids.slice(start, start + IDS), signal)) found.set(one.id, one);
  }
  return found;
};

async function ofIds(ids, signal) {
  try {
    return (await ask("/v1/images?ids=" + ids.join(","), { signal })).images;
  } catch (error) {
    if (error.status !== 404) throw error;
    if (ids.length === 1) return [];
    const half = ids.length >> 1;  // the sentence names the first alone
    return [...await ofIds(ids.slice(0, half), signal), ...await ofIds(ids.slice(half), signal)];
  }
}

/** The address of a thumbnail; `size` is one of SIZES. */
export const thumb = (id, size) => "/v1/images/" + id + "/thumbnail?size=" + size + (edition && "&" + edition);

/** The address of the picture itself. */
export const file = (id) => "/v1/images/" + id + "/file" + (edition && "?" + edition);

/** The address of a small picture of a seed that the service was given and the pool does not hold. */
export const seedPicture = (uri) => "/v1/seed?uri=" + encodeURIComponent(uri);

/** The size of thumbnail that fills a square of so many CSS pixels, whatever the screen's density. */
export function sizeFor(image, pixels) {
  const [width, height] = [image?.width || 4, image?.height || 3];
  const longer = Math.min(2, Math.max(width, height) / Math.max(1, Math.min(width, height)));
  const wanted = 0.8 * pixels * longer * (globalThis.devicePixelRatio || 1);
  return SIZES.find((size) => size >= wanted) ?? SIZES.at(-1);
}
