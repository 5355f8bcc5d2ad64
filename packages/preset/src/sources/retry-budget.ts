/** How long a registry is tried if the image is stored, in milliseconds from the start of the command. */
export const defaultFallbackMs = 7_000;
/** Additional milliseconds for each further manifest. */
const nextManifestMs = 2_000;

/** The time limit for a registry while there is a fallback. */
export class RetryBudget {
  #untilMs: number;

  constructor(limitMs: number) {
    this.#untilMs = performance.now() + limitMs;
  }

  /** The remaining milliseconds, at least 0. */
  get leftMs(): number {
    return Math.max(0, this.#untilMs - performance.now());
  }

  /** Extends the limit after a response, so that a responding registry is not cut off. */
  extend(): void {
    this.#untilMs = Math.max(this.#untilMs, performance.now() + nextManifestMs);
  }
}
