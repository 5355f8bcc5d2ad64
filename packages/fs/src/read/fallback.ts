import { AsyncLocalStorage } from "node:async_hooks";
import { type Digest, isNotFound, type MoteSource } from "@mote/core";

/**
 * Requests for one digest that wait for the fallback at once. More mean a circle through code that loses the asynchronous context, such as
 * a queue with its own worker: each request would wait for the next one for ever.
 */
const mostWaiting = 1024;

/** Requests from a fallback what a cache does not have. In a circle of caches that fall back on each other, none has it. */
export class Fallback {
  readonly #source: MoteSource;
  /** What this cache requests now: a request for the same that comes back meanwhile has gone in a circle. */
  readonly #trail = new AsyncLocalStorage<ReadonlySet<Digest>>();
  readonly #waiting = new Map<Digest, number>();

  constructor(source: MoteSource) {
    this.#source = source;
  }

  /** Its errors are thrown: only not-found is a miss. */
  async request<T>(digest: Digest, miss: T, read: (source: MoteSource) => Promise<T>): Promise<T> {
    const trail = this.#trail.getStore();
    const waiting = this.#waiting.get(digest) ?? 0;
    if (trail?.has(digest) || waiting >= mostWaiting) return miss;
    this.#waiting.set(digest, waiting + 1);
    try {
      return await this.#trail.run(new Set([...(trail ?? []), digest]), () => read(this.#source));
    } catch (error) {
      if (isNotFound(error)) return miss;
      throw error;
    } finally {
      const left = (this.#waiting.get(digest) ?? 1) - 1;
      if (left > 0) this.#waiting.set(digest, left);
      else this.#waiting.delete(digest);
    }
  }
}
