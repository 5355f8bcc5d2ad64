import { asynchronousCalls } from "./file-calls.js";

/** Pending reads while a chunk is used: with two, often both have finished by the next turn of the event loop. */
const readsAhead = 2;
/** With many open streams, chunks are shorter than this: the other streams' work then hides the latency. */
const chunkOfFewBytes = 128 * 1024;

/** Buffers of one `FileChunks`: the one in use, and those being read into. */
export const buffersAtOnce = readsAhead + 1;

/** Reads an open file ahead, from `start` up to `end`. With `reuse`, a chunk's memory is used again for the next one. */
export class FileChunks {
  readonly #fd: number;
  readonly #chunkBytes: () => number;
  readonly #reuse: boolean;
  readonly #buffers: Uint8Array[] = [];
  readonly #ahead: Promise<Uint8Array | undefined>[] = [];
  #position: number;
  #end: number;

  constructor(
    fd: number,
    range: { readonly start: number; readonly end: number },
    chunkBytes: () => number,
    options: { readonly reuse?: boolean } = {},
  ) {
    this.#fd = fd;
    this.#position = range.start;
    this.#end = range.end;
    this.#chunkBytes = chunkBytes;
    this.#reuse = options.reuse ?? false;
  }

  /** Returns undefined after the last chunk. A file shorter than `end` ends early. */
  async next(): Promise<Uint8Array | undefined> {
    this.#readAhead();
    const chunk = await this.#ahead.shift();
    if (chunk !== undefined) this.#readAhead();
    return chunk;
  }

  /** Resolves when no read is pending, so that the descriptor can be closed. */
  async stop(): Promise<void> {
    this.#end = 0;
    await Promise.allSettled(this.#ahead);
  }

  #readAhead(): void {
    const most = this.#chunkBytes() < chunkOfFewBytes ? 1 : readsAhead;
    while (this.#ahead.length < most && this.#position < this.#end) {
      const length = Math.min(this.#chunkBytes(), this.#end - this.#position);
      const read = this.#read(this.#buffer(length), this.#position);
      read.catch(() => {});
      this.#ahead.push(read);
      this.#position += length;
    }
  }

  #buffer(length: number): Uint8Array {
    const free = this.#buffers.length === buffersAtOnce ? this.#buffers.shift() : undefined;
    const buffer =
      free !== undefined && free.byteLength >= length ? free : new Uint8Array(Buffer.allocUnsafeSlow(length).buffer);
    if (this.#reuse) this.#buffers.push(buffer);
    return buffer.byteLength === length ? buffer : buffer.subarray(0, length);
  }

  async #read(chunk: Uint8Array, position: number): Promise<Uint8Array | undefined> {
    const got = await asynchronousCalls.read(this.#fd, chunk, position);
    if (got === chunk.byteLength) return chunk;
    // Reads past the end of the file return nothing.
    this.#end = 0;
    return got === 0 ? undefined : chunk.subarray(0, got);
  }
}
