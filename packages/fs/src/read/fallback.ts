import { AsyncLocalStorage } from "node:async_hooks";
import { type Digest, isNotFound, type MoteSource } from "@mote/core";

/**
 * Maximum concurrent requests for one digest. More indicate a cycle through code that loses the asynchronous context, such as
 * a queue with its own worker: each request would wait for the next one forever.
 */
const mostWaiting = 1024;

/** Requests missing content from a fallback. In a cycle of caches that fall back on each other, it is missing in all. */
export class Fallback {
  readonly #source: MoteSource;
  /** The digests being requested: another request for one of them comes from a cycle. */
  readonly #trail = new AsyncLocalStorage<ReadonlySet<Digest>>();
  readonly #waiting = new Map<Digest, number>();

  constructor(source: MoteSource) {
    this.#source = source;
  }

  /** Rethrows its errors: only not-found is a miss. */
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
