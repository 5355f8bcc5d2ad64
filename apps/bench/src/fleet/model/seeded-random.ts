/** Random numbers that are the same for the same seed (the generator `mulberry32`). */
export class SeededRandom {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** Returns a number from 0 to below 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** Returns an integer from 0 to below `count`. */
  below(count: number): number {
    return Math.floor(this.next() * count);
  }

  /** Returns the time between two events of which there are `perSecond` on average. */
  interval(perSecond: number): number {
    return -Math.log(1 - this.next()) / perSecond;
  }

  /** Returns a number whose logarithm is normally distributed. Half of them are below `median`. */
  logNormal(median: number, sigma: number): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.next()));
    return median * Math.exp(sigma * radius * Math.cos(2 * Math.PI * this.next()));
  }

  /** Returns a shuffled copy. */
  shuffled<Item>(items: readonly Item[]): Item[] {
    const copy = [...items];
    for (let at = copy.length - 1; at > 0; at--) {
      const other = this.below(at + 1);
      const [one, two] = [copy[at], copy[other]];
      if (one === undefined || two === undefined) continue;
      copy[at] = two;
      copy[other] = one;
    }
    return copy;
  }
}

/** Ranks by Zipf's law: rank `k`, from 0, is drawn in proportion to `1 / (k + 1) ** exponent`. */
export class Zipf {
  readonly #sums: number[] = [];

  constructor(count: number, exponent: number) {
    let sum = 0;
    for (let rank = 1; rank <= count; rank++) {
      sum += 1 / rank ** exponent;
      this.#sums.push(sum);
    }
  }

  draw(random: SeededRandom): number {
    const wanted = random.next() * (this.#sums.at(-1) ?? 0);
    let [low, high] = [0, this.#sums.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#sums[middle] ?? 0) > wanted) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
