/** Widths of the buckets of successive passes, in milliseconds: an hour, a second, a millisecond. */
export const widthsMs = [3_600_000, 1000, 1] as const;

/** The blobs of one bucket. */
interface Bucketful {
  bytes: number;
  count: number;
}

/** Adds up sizes by time, in buckets of one width. Its memory depends on the span of times, not on the number of blobs. */
export class TimeHistogram {
  readonly #widthMs: number;
  readonly #buckets = new Map<number, Bucketful>();

  constructor(widthMs: number) {
    this.#widthMs = widthMs;
  }

  add(timeMs: number, bytes: number): void {
    const at = Math.floor(timeMs / this.#widthMs);
    const bucket = this.#buckets.get(at);
    if (bucket === undefined) this.#buckets.set(at, { bytes, count: 1 });
    else {
      bucket.bytes += bytes;
      bucket.count++;
    }
  }

  /** Returns the bucket in which the oldest `bytes` bytes end, its first millisecond and the one after its last; undefined if there are fewer. */
  boundary(
    bytes: number,
  ): { readonly fromMs: number; readonly toMs: number; readonly before: number; readonly count: number } | undefined {
    let before = 0;
    for (const [at, bucket] of [...this.#buckets].sort(([a], [b]) => a - b)) {
      if (before + bucket.bytes >= bytes)
        return { fromMs: at * this.#widthMs, toMs: (at + 1) * this.#widthMs, before, count: bucket.count };
      before += bucket.bytes;
    }
    return undefined;
  }
}
