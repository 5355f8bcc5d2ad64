interface Sample {
  readonly atMs: number;
  readonly amount: number;
}

/** The growth rate of an amount over the last seconds. */
export class Rate {
  readonly #windowMs: number;
  #samples: Sample[] = [];

  constructor(windowMs = 4_000) {
    this.#windowMs = windowMs;
  }

  /** Records the amount so far. A smaller amount restarts the measurement. */
  take(amount: number, atMs: number): void {
    if (amount < (this.#samples.at(-1)?.amount ?? 0)) this.#samples = [];
    this.#samples.push({ atMs, amount });
    const since = atMs - this.#windowMs;
    // One sample from before the window remains, so that the complete window is covered.
    while (this.#samples.length > 2 && (this.#samples[1]?.atMs ?? 0) <= since) this.#samples.shift();
  }

  /** Returns the rate per second. Undefined before half a second is covered. */
  perSecond(): number | undefined {
    const [first, last] = [this.#samples[0], this.#samples.at(-1)];
    if (first === undefined || last === undefined || last.atMs - first.atMs < 500) return undefined;
    return ((last.amount - first.amount) / (last.atMs - first.atMs)) * 1000;
  }
}
