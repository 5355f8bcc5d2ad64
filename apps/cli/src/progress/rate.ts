interface Sample {
  readonly atMs: number;
  readonly amount: number;
}

/** How fast an amount grows, over the last seconds: what was long ago says nothing of what is left. */
export class Rate {
  readonly #windowMs: number;
  #samples: Sample[] = [];

  constructor(windowMs = 4_000) {
    this.#windowMs = windowMs;
  }

  /** The amount so far. One that shrinks begins anew. */
  take(amount: number, atMs: number): void {
    if (amount < (this.#samples.at(-1)?.amount ?? 0)) this.#samples = [];
    this.#samples.push({ atMs, amount });
    const since = atMs - this.#windowMs;
    // One sample from before the window stays, so that the whole of it is covered.
    while (this.#samples.length > 2 && (this.#samples[1]?.atMs ?? 0) <= since) this.#samples.shift();
  }

  /** Per second; nothing until half a second is covered. */
  perSecond(): number | undefined {
    const [first, last] = [this.#samples[0], this.#samples.at(-1)];
    if (first === undefined || last === undefined || last.atMs - first.atMs < 500) return undefined;
    return ((last.amount - first.amount) / (last.atMs - first.atMs)) * 1000;
  }
}
