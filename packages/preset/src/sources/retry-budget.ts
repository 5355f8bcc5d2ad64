/** Milliseconds that a registry is tried for an image that is stored, from the start of the command. */
export const defaultFallbackMs = 7_000;
/** Milliseconds for each further manifest after that. */
const nextManifestMs = 2_000;

/** How long to wait for a registry while there is a fallback. */
export class RetryBudget {
  readonly #now: () => number;
  #until: number;

  constructor(limitMs: number, now: () => number = () => performance.now()) {
    this.#now = now;
    this.#until = now() + limitMs;
  }

  /** Milliseconds, 0 at least. */
  get leftMs(): number {
    return Math.max(0, this.#until - this.#now());
  }

  /** Extends the time after a response: a registry that continues to respond is not cut off. */
  extend(): void {
    this.#until = Math.max(this.#until, this.#now() + nextManifestMs);
  }
}
