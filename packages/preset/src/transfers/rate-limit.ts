/** The bytes that one blob gets before it is the turn of the next. */
const turnBytes = 4 * 1024;
/** How much may pass at once after a pause, so that late timers do not lower the rate. */
const burstMs = 20;

interface Waiter {
  left: number;
  done(): void;
}

/** Limits the bytes per second of several streams together. Streams that wait get the same share, whatever the size of their chunks. */
export class RateLimit {
  readonly #bytesPerMs: number;
  /** The waiters of each stream, in order of their turns. */
  readonly #waiting = new Map<unknown, Waiter[]>();
  /** When the bytes taken so far are paid for, in milliseconds of `performance.now`. */
  #dueMs = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(bytesPerSecond: number) {
    if (!(bytesPerSecond > 0)) throw new TypeError("a rate is a number of bytes per second above 0");
    this.#bytesPerMs = bytesPerSecond / 1000;
  }

  /**
   * Resolves when these bytes may be taken: when those before are paid for.
   * @param stream such as the digest of a blob: its connections share its turns
   */
  async take(bytes: number, signal: AbortSignal | undefined, stream: unknown = this): Promise<void> {
    signal?.throwIfAborted();
    if (bytes === 0) return;
    await new Promise<void>((resolve, reject) => {
      const waiters = this.#waiting.get(stream) ?? [];
      this.#waiting.set(stream, waiters);
      const onAbort = () => {
        this.#remove(stream, waiter);
        reject(signal?.reason);
      };
      const waiter = {
        left: bytes,
        done: () => {
          signal?.removeEventListener("abort", onAbort);
          resolve();
        },
      };
      signal?.addEventListener("abort", onAbort, { once: true });
      waiters.push(waiter);
      this.#grant();
    });
  }

  /** Gives turns until the rate is used up. */
  #grant(): void {
    if (this.#timer !== undefined) return;
    const nowMs = performance.now();
    this.#dueMs = Math.max(this.#dueMs, nowMs - burstMs);
    for (const [stream, waiters] of this.#waiting) {
      const earlyMs = this.#dueMs - nowMs;
      if (earlyMs >= 1) {
        this.#grantIn(earlyMs);
        return;
      }
      let left = turnBytes;
      for (let [waiter] = waiters; waiter !== undefined && left > 0; [waiter] = waiters) {
        const bytes = Math.min(waiter.left, left);
        left -= bytes;
        waiter.left -= bytes;
        if (waiter.left === 0) waiters.shift()?.done();
      }
      this.#dueMs += (turnBytes - left) / this.#bytesPerMs;
      this.#waiting.delete(stream);
      // At the end of the map, which this loop reaches again.
      if (waiters.length > 0) this.#waiting.set(stream, waiters);
    }
  }

  #grantIn(ms: number): void {
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        this.#grant();
      },
      Math.min(ms, longestTimerMs),
    );
  }

  #remove(stream: unknown, waiter: Waiter): void {
    const waiters = this.#waiting.get(stream)?.filter((each) => each !== waiter) ?? [];
    if (waiters.length > 0) this.#waiting.set(stream, waiters);
    else this.#waiting.delete(stream);
    if (this.#waiting.size > 0) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}

/** Of `setTimeout`. */
const longestTimerMs = 2 ** 31 - 1;
