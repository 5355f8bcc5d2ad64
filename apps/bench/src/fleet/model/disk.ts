import type { Digest } from "@mote/core";
import type { Blob } from "./images.js";

/** A disk of limited size, from which what was used least recently is removed. */
export class Disk {
  readonly #maxBytes: number;
  /** In the order of their last use. */
  readonly #blobs = new Map<Digest, Blob>();
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Returns whether it has a blob, which counts as a use. */
  use({ digest }: Blob): boolean {
    const blob = this.#blobs.get(digest);
    if (blob === undefined) return false;
    this.#blobs.delete(digest);
    this.#blobs.set(digest, blob);
    return true;
  }

  store(blob: Blob): void {
    if (this.use(blob)) return;
    this.#blobs.set(blob.digest, blob);
    this.#bytes += blob.bytes;
    for (const [digest, { bytes }] of this.#blobs) {
      if (this.#bytes <= this.#maxBytes) return;
      this.#blobs.delete(digest);
      this.#bytes -= bytes;
    }
  }

  clear(): void {
    this.#blobs.clear();
    this.#bytes = 0;
  }
}
