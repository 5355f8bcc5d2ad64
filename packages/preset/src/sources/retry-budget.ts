/** Milliseconds that a registry is asked for an image that is stored, from the start of the command on. */
export const defaultFallbackMs = 7_000;
/** Milliseconds for each further manifest after that, where the ones before have come. */
const nextManifestMs = 2_000;

/** How long a registry is worth waiting for where there is something to use in its place. */
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

  /** Something has come: a registry that goes on answering is not cut off. */
  answered(): void {
    this.#until = Math.max(this.#until, this.#now() + nextManifestMs);
  }
}
