import { type Digest, type MoteCache, untilAborted } from "@mote/core";

/** Keyed by the cache itself: those who share one share its fetches, and two caches never meet. */
const inFlight = new WeakMap<MoteCache, Map<Digest, InFlightFetch>>();

/** The fetch that brings `digest` into `cache` at this moment, in this process. */
export function inFlightFetch(cache: MoteCache, digest: Digest): InFlightFetch | undefined {
  return inFlight.get(cache)?.get(digest);
}

/** Begins a fetch for others to join. */
export function startFetch(
  cache: MoteCache,
  digest: Digest,
  run: (signal: AbortSignal) => Promise<void>,
): InFlightFetch {
  const flights = inFlight.get(cache) ?? new Map<Digest, InFlightFetch>();
  inFlight.set(cache, flights);
  const flight: InFlightFetch = new InFlightFetch(run, () => {
    if (flights.get(digest) === flight) flights.delete(digest);
  });
  flights.set(digest, flight);
  return flight;
}

/** One fetch and those who wait for it. It belongs to all of them: it goes on until the last has left. */
export class InFlightFetch {
  readonly #controller = new AbortController();
  readonly #remove: () => void;
  readonly #landing: Promise<void>;
  #members = 0;
  #hasLanded = false;

  constructor(run: (signal: AbortSignal) => Promise<void>, onLanding: () => void) {
    this.#remove = onLanding;
    this.#landing = run(this.#controller.signal).finally(() => {
      this.#hasLanded = true;
      onLanding();
    });
    this.#landing.catch(() => {});
  }

  /** Waits for the end. An abort ends the waiting, and the fetch only if nobody else waits: then it has ended on return. */
  async join(signal: AbortSignal): Promise<void> {
    this.#members += 1;
    try {
      await untilAborted(this.#landing, signal);
    } finally {
      this.#members -= 1;
      if (this.#members === 0 && !this.#hasLanded) {
        this.#remove();
        this.#controller.abort(signal.reason);
        await this.#landing.catch(() => {});
      }
    }
  }
}
