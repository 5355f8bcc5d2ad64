import { type ByteRange, ByteRanges } from "./byte-ranges.js";

/** Below this, a request costs more than the balance between connections is worth. */
const smallestRangeBytes = 4 * 1024 * 1024;
/** The same, while there is one connection and others may be added. */
const smallestSingleBytes = 64 * 1024 * 1024;

/** Divides the missing bytes of a blob between connections: each byte is assigned once, in order of offsets. */
export class RangePlan {
  readonly #unassigned: ByteRanges;

  /** @param stored what is not fetched again */
  constructor(size: number, stored: Iterable<ByteRange>) {
    this.#unassigned = new ByteRanges(new ByteRanges(stored).missing(0, size));
  }

  /** Whether all bytes are assigned. */
  get isEmpty(): boolean {
    return this.#unassigned.ranges.length === 0;
  }

  /**
   * Assigns the next range; undefined if there is none.
   * @param maxBytes its maximum size; smaller towards the end of the blob, so that all connections end at about the same time, and a single one
   *   that becomes slow can be helped
   */
  take(maxBytes: number, connections: number): ByteRange | undefined {
    const next = this.#unassigned.ranges[0];
    if (next === undefined) return undefined;
    const fairBytes = Math.ceil(this.#unassigned.bytes / (2 * connections));
    const leastBytes = connections === 1 ? smallestSingleBytes : smallestRangeBytes;
    const bytes = Math.min(maxBytes, Math.max(fairBytes, leastBytes));
    const taken = { start: next.start, end: Math.min(next.end, next.start + bytes) };
    this.#unassigned.remove(taken.start, taken.end);
    return taken;
  }

  /** Makes a range available again, after its connection failed. */
  giveBack({ start, end }: ByteRange): void {
    this.#unassigned.add(start, end);
  }
}
