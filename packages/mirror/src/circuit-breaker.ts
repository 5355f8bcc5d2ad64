/** Failures in a row after which an upstream is not asked any more. */
const maxFailures = 3;
const firstPauseMs = 1_000;
const maxPauseMs = 60_000;

/**
 * Keeps requests from an upstream that fails. After some failures in a row the upstream is not asked for a while; then one request
 * tries it, and others still do without. The pause doubles with each trial that fails.
 */
export class CircuitBreaker {
  readonly #now: () => number;
  #failures = 0;
  #pauseMs = firstPauseMs;
  #closedUntil = 0;
  #isTrying = false;

  /** `now`: milliseconds of a clock that never goes back. */
  constructor(now: () => number) {
    this.#now = now;
  }

  get state(): "closed" | "open" | "half-open" {
    if (this.#failures < maxFailures && this.#closedUntil <= this.#now()) return "closed";
    return this.#now() < this.#closedUntil ? "open" : "half-open";
  }

  /** Milliseconds until the next trial. */
  get retryAfterMs(): number {
    return Math.max(0, this.#closedUntil - this.#now());
  }

  /** Returns whether to send a request. If so, call `succeeded` or `failed` when it has ended. */
  tryRequest(): boolean {
    const { state } = this;
    if (state === "closed") return true;
    if (state === "open" || this.#isTrying) return false;
    this.#isTrying = true;
    return true;
  }

  /** The upstream answered, if only that it does not have something. */
  succeeded(): void {
    this.#failures = 0;
    this.#pauseMs = firstPauseMs;
    this.#closedUntil = 0;
    this.#isTrying = false;
  }

  /** `retryAfterMs`: how long the upstream asks to be left alone. */
  failed(retryAfterMs = 0): void {
    this.#failures++;
    this.#isTrying = false;
    const isOpen = this.#failures >= maxFailures;
    const pauseMs = Math.max(isOpen ? this.#pauseMs : 0, Math.min(retryAfterMs, maxPauseMs));
    if (isOpen) this.#pauseMs = Math.min(2 * this.#pauseMs, maxPauseMs);
    this.#closedUntil = Math.max(this.#closedUntil, this.#now() + pauseMs);
  }

  /** The request ended without an answer that tells about the upstream, such as by an abort of the client. */
  abandoned(): void {
    this.#isTrying = false;
  }
}
