import type { Descriptor } from "./descriptor.js";
import type { Digest } from "./digest.js";

/** Sums the sizes of descriptors, with and without duplicate digests. */
export class BytesTracker {
  #total = 0;
  #deduplicated = 0;
  readonly #seen = new Set<Digest>();

  add(descriptor: Pick<Descriptor, "digest" | "size">): void {
    this.#total += descriptor.size;
    if (this.#seen.has(descriptor.digest)) return;
    this.#seen.add(descriptor.digest);
    this.#deduplicated += descriptor.size;
  }

  /** The bytes of all descriptors. */
  get total(): number {
    return this.#total;
  }

  /** The bytes with each digest counted once. */
  get deduplicated(): number {
    return this.#deduplicated;
  }
}
