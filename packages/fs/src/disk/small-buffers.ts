/** Maximum bytes read or written at once through a buffer. */
export const smallBytes = 64 * 1024;
const smallest = 4096;
const maxFreeBytes = 1024 * 1024;

/** Reuses the buffers that small writes are collected in: a new one costs as much as the copy into it. */
export class SmallBuffers {
  readonly #free = new Map<number, Uint8Array[]>();
  #freeBytes = 0;

  /** Returns a buffer of at least `bytes`, with arbitrary content. */
  acquire(bytes: number): Uint8Array {
    const length = bytes <= smallest ? smallest : 2 ** Math.ceil(Math.log2(bytes));
    const buffer = this.#free.get(length)?.pop();
    if (buffer === undefined) return new Uint8Array(length);
    this.#freeBytes -= length;
    return buffer;
  }

  /** Call it once per acquired buffer, and do not use the buffer afterwards. */
  release(buffer: Uint8Array): void {
    const length = buffer.byteLength;
    if (this.#freeBytes + length > maxFreeBytes) return;
    this.#freeBytes += length;
    const free = this.#free.get(length);
    if (free === undefined) this.#free.set(length, [buffer]);
    else free.push(buffer);
  }
}
