import type { MoteCache } from "./capabilities.js";
import type { Digest } from "./digest.js";
import { untilAborted } from "./until-aborted.js";

/** Fetches by cache object, so that only transfers with the same cache object share them. */
const inFlight = new WeakMap<MoteCache, Map<Digest, InFlightFetch>>();

/** Returns the fetch of `digest` into `cache` in this process, if any. */
export function inFlightFetch(cache: MoteCache, digest: Digest): InFlightFetch | undefined {
  return inFlight.get(cache)?.get(digest);
}

/** Starts a fetch that others can join. */
export function startFetch(
  cache: MoteCache,
  digest: Digest,
  run: (signal: AbortSignal) => Promise<void>,
): InFlightFetch {
  const fetches = inFlight.get(cache) ?? new Map<Digest, InFlightFetch>();
  inFlight.set(cache, fetches);
  const fetch: InFlightFetch = new InFlightFetch(run, () => {
    if (fetches.get(digest) === fetch) fetches.delete(digest);
  });
  fetches.set(digest, fetch);
  return fetch;
}

/** A fetch shared by several callers. It is aborted when the last caller has aborted. */
export class InFlightFetch {
  readonly #controller = new AbortController();
  readonly #remove: () => void;
  readonly #result: Promise<void>;
  #waiting = 0;
  #isSettled = false;

  constructor(run: (signal: AbortSignal) => Promise<void>, onSettled: () => void) {
    this.#remove = onSettled;
    this.#result = run(this.#controller.signal).finally(() => {
      this.#isSettled = true;
      onSettled();
    });
    this.#result.catch(() => {});
  }

  /** Waits for the fetch. An abort ends only this wait, unless it is the last one: then the fetch is aborted and its end awaited. */
  async join(signal: AbortSignal): Promise<void> {
    this.#waiting += 1;
    try {
      await untilAborted(this.#result, signal);
    } finally {
      this.#waiting -= 1;
      if (this.#waiting === 0 && !this.#isSettled) {
        this.#remove();
        this.#controller.abort(signal.reason);
        await this.#result.catch(() => {});
      }
    }
  }
}
