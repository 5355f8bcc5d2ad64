import { AsyncLocalStorage } from "node:async_hooks";
import { type Digest, isNotFound, type MoteSource } from "@mote/core";

/**
 * Questions about one digest that wait for the fallback at once. So many come of a circle through something that forgets who asks, as a
 * queue with a worker of its own; each of them would wait for the next one for ever.
 */
const mostWaiting = 1024;

/** What is asked for what a cache does not have. Caches that fall back on each other in a circle find that nobody has it. */
export class Fallback {
  readonly #source: MoteSource;
  /** What this cache is asking for: a question about the same that comes back meanwhile has gone in a circle. */
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
