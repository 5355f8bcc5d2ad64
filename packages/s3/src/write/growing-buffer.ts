const firstBytes = 64 * 1024;

/** Memory for at most `maxBytes` bytes, which grows as it is filled. */
export class GrowingBuffer {
  readonly #maxBytes: number;
  #memory: Uint8Array;
  readonly #spares: Uint8Array[] = [];
  #length = 0;
  #leastBytes = firstBytes;

  /** @param expectedBytes avoids growing, if the number of bytes is known */
  constructor(maxBytes: number, expectedBytes = 0) {
    this.#maxBytes = maxBytes;
    this.#memory = new Uint8Array(Math.min(expectedBytes, maxBytes));
  }

  get isFull(): boolean {
    return this.#length === this.#maxBytes;
  }

  /** Copies as many bytes as fit, and returns their number. */
  append(bytes: Uint8Array): number {
    const taken = bytes.subarray(0, this.#maxBytes - this.#length);
    const needed = this.#length + taken.byteLength;
    if (this.#length === 0) this.#memory = this.#spares.pop() ?? this.#memory;
    if (needed > this.#memory.byteLength) {
      const bytes = Math.max(needed, this.#memory.byteLength * 2, this.#leastBytes);
      const grown = new Uint8Array(Math.min(this.#maxBytes, bytes));
      grown.set(this.#memory.subarray(0, this.#length));
      this.#memory = grown;
    }
    this.#memory.set(taken, this.#length);
    this.#length = needed;
    return taken.byteLength;
  }

  /** Returns the bytes and becomes empty; the memory is the caller's. */
  take(): Uint8Array {
    const bytes = this.#memory.subarray(0, this.#length);
    // What was filled once is probably filled again.
    if (this.isFull) this.#leastBytes = this.#maxBytes;
    this.#memory = new Uint8Array(0);
    this.#length = 0;
    return bytes;
  }

  /** Uses memory again that `take` returned. */
  giveBack(bytes: Uint8Array): void {
    if (bytes.byteLength === this.#maxBytes) this.#spares.push(bytes);
  }
}
