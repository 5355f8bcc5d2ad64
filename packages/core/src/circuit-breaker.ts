/** Failures in a row after which the remote party gets no more requests. */
const maxFailures = 3;
const firstPauseMs = 1_000;
const maxPauseMs = 60_000;
/** The longest `Retry-After` of an upstream that is respected, in milliseconds. */
const maxRetryAfterMs = 3_600_000;

/**
 * Keeps requests from a remote party that fails, such as an upstream or a tier. After some failures in a row it gets no requests for a
 * while; then one request tries it, and others still do without. The pause doubles with each trial that fails.
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

  /** It answered, if only that it does not have something. */
  succeeded(): void {
    this.#failures = 0;
    this.#pauseMs = firstPauseMs;
    this.#closedUntil = 0;
    this.#isTrying = false;
  }

  /** `retryAfterMs`: how long it asks to be left alone. */
  failed(retryAfterMs = 0): void {
    this.#failures++;
    this.#isTrying = false;
    const isOpen = this.#failures >= maxFailures;
    const pauseMs = Math.max(isOpen ? this.#pauseMs : 0, Math.min(retryAfterMs, maxRetryAfterMs));
    if (isOpen) this.#pauseMs = Math.min(2 * this.#pauseMs, maxPauseMs);
    this.#closedUntil = Math.max(this.#closedUntil, this.#now() + pauseMs);
  }

  /** The request ended without a conclusive response, for example because the client aborted. */
  abandoned(): void {
    this.#isTrying = false;
  }
}
