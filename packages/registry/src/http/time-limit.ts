import type { Clock } from "./clock.js";
import { longestMs, timeoutError } from "./http-transport.js";

/** The time in which a request must have its response, with all its retries and those of its token. */
export class TimeLimit implements Disposable {
  /** Aborts when the caller's signal does, or when the time is over. */
  readonly signal: AbortSignal;
  readonly #clock: Clock;
  readonly #until: number;
  readonly #cancel: () => void;

  /** @param until a time of `clock` */
  constructor(clock: Clock, until: number, signal: AbortSignal | undefined) {
    this.#clock = clock;
    this.#until = until;
    const over = new AbortController();
    const end = () => over.abort(timeoutError("the time allowed for it is over"));
    const leftMs = until - clock.now();
    if (leftMs <= 0) end();
    this.#cancel = clock.after(Math.min(Math.max(0, leftMs), longestMs), end);
    this.signal = signal === undefined ? over.signal : AbortSignal.any([signal, over.signal]);
  }

  /** Whether a retry after so many milliseconds would come too late. */
  endsWithin(ms: number): boolean {
    return this.#clock.now() + ms >= this.#until;
  }

  [Symbol.dispose](): void {
    this.#cancel();
  }
}
