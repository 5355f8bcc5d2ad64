/** Reads a stream of chunks by byte counts. */
export class ByteReader {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #rest: Uint8Array = new Uint8Array(0);

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  /** Yields the next bytes as they arrive; fewer than `bytes` only at the end of the stream. */
  async *take(bytes: number): AsyncGenerator<Uint8Array, void, undefined> {
    for (let left = bytes; left > 0; ) {
      if (this.#rest.byteLength === 0 && !(await this.#next())) return;
      const part = this.#rest.subarray(0, left);
      this.#rest = this.#rest.subarray(part.byteLength);
      left -= part.byteLength;
      yield part;
    }
  }

  /** Returns the next bytes in one array. */
  async whole(bytes: number): Promise<Uint8Array> {
    if (this.#rest.byteLength >= bytes) {
      const part = this.#rest.subarray(0, bytes);
      this.#rest = this.#rest.subarray(bytes);
      return part;
    }
    const whole = new Uint8Array(bytes);
    let at = 0;
    for await (const part of this.take(bytes)) {
      whole.set(part, at);
      at += part.byteLength;
    }
    return whole.subarray(0, at);
  }

  /** Skips bytes; returns how many there were. */
  async skip(bytes: number): Promise<number> {
    let skipped = 0;
    for await (const part of this.take(bytes)) skipped += part.byteLength;
    return skipped;
  }

  /** Returns whether no bytes are left. */
  async isEmpty(): Promise<boolean> {
    while (this.#rest.byteLength === 0) if (!(await this.#next())) return true;
    return false;
  }

  async close(): Promise<void> {
    await this.#chunks.return?.();
  }

  async #next(): Promise<boolean> {
    const { done, value } = await this.#chunks.next();
    if (done) return false;
    this.#rest = value;
    return true;
  }
}
