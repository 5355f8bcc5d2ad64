/** Bytes that are read or written in one go, and held in memory for that. */
export const smallBytes = 64 * 1024;
const smallest = 4096;
const keptBytes = 1024 * 1024;

/** Buffers that small writes are gathered in, used again: a fresh one costs as much as the copy into it. */
export class SmallBuffers {
  readonly #free = new Map<number, Uint8Array[]>();
  #kept = 0;

  /** Of at least `bytes`, with anything in it. */
  take(bytes: number): Uint8Array {
    const length = bytes <= smallest ? smallest : 2 ** Math.ceil(Math.log2(bytes));
    const buffer = this.#free.get(length)?.pop();
    if (buffer === undefined) return new Uint8Array(length);
    this.#kept -= length;
    return buffer;
  }

  /** Only by its taker, who does not use it again. */
  giveBack(buffer: Uint8Array): void {
    const length = buffer.byteLength;
    if (this.#kept + length > keptBytes) return;
    this.#kept += length;
    const free = this.#free.get(length);
    if (free === undefined) this.#free.set(length, [buffer]);
    else free.push(buffer);
  }
}
