/** The bytes from `start` up to, not including, `end`. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** A set of bytes, as sorted ranges that neither overlap nor touch. */
export class ByteRanges {
  #ranges: ByteRange[] = [];

  constructor(ranges: Iterable<ByteRange> = []) {
    for (const { start, end } of ranges) this.add(start, end);
  }

  get ranges(): readonly ByteRange[] {
    return this.#ranges;
  }

  /** The number of bytes. */
  get bytes(): number {
    return this.#ranges.reduce((sum, { start, end }) => sum + end - start, 0);
  }

  /** The end of the range that begins at 0; 0 without one. */
  get prefixEnd(): number {
    const first = this.#ranges[0];
    return first?.start === 0 ? first.end : 0;
  }

  /** @throws TypeError if it is not a range of whole bytes */
  add(start: number, end: number): void {
    if (!Number.isSafeInteger(start) || !Number.isSafeInteger(end) || start < 0 || end < start) {
      throw new TypeError(`${start} to ${end} is not a range of bytes`);
    }
    if (start === end) return;
    const before = this.#ranges.filter((range) => range.end < start);
    const after = this.#ranges.filter((range) => range.start > end);
    const touching = this.#ranges.slice(before.length, this.#ranges.length - after.length);
    const joined = {
      start: Math.min(start, touching[0]?.start ?? start),
      end: Math.max(end, touching.at(-1)?.end ?? end),
    };
    this.#ranges = [...before, joined, ...after];
  }

  /** Removes the bytes of a range. */
  remove(start: number, end: number): void {
    if (start >= end) return;
    this.#ranges = this.#ranges.flatMap((range) => [
      ...(range.start < Math.min(range.end, start) ? [{ start: range.start, end: Math.min(range.end, start) }] : []),
      ...(range.end > Math.max(range.start, end) ? [{ start: Math.max(range.start, end), end: range.end }] : []),
    ]);
  }

  /** Returns the ranges between `start` and `end` that are not in the set, in order. */
  missing(start: number, end: number): ByteRange[] {
    const missing: ByteRange[] = [];
    let at = start;
    for (const range of this.#ranges) {
      if (range.start >= end) break;
      if (range.start > at) missing.push({ start: at, end: range.start });
      at = Math.max(at, range.end);
    }
    if (at < end) missing.push({ start: at, end });
    return missing;
  }
}
