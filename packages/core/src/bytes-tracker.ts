import type { Descriptor } from "./descriptor.js";
import type { Digest } from "./digest.js";

/** Counts the bytes of the descriptors it is given, all of them and each digest once. */
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

  /** Bytes of everything added. */
  get total(): number {
    return this.#total;
  }

  /** Bytes with each digest counted once. */
  get deduplicated(): number {
    return this.#deduplicated;
  }
}
