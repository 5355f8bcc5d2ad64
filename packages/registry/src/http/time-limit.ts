import type { Clock } from "./clock.js";
import { longestMs, timeoutError } from "./http-transport.js";

/** The time limit of a request, including its retries and token requests. */
export class TimeLimit implements Disposable {
  /** Aborts with the caller's signal, or when the time is over. */
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

  /** Returns whether a retry after this delay (ms) would be too late. */
  endsWithin(ms: number): boolean {
    return this.#clock.now() + ms >= this.#until;
  }

  [Symbol.dispose](): void {
    this.#cancel();
  }
}
