import { asynchronousCalls } from "./file-calls.js";

/**
 * An open file's bytes from `start` up to `end`, the next chunk being read while the last one is used. Chunks are fresh; where `reuse` is
 * set, one is good only until the next is asked for.
 */
export class FileChunks {
  readonly #fd: number;
  readonly #end: number;
  readonly #chunkBytes: () => number;
  readonly #reuse: boolean;
  /** The one in use, and the one being read into. */
  readonly #buffers: Uint8Array[] = [];
  #position: number;
  #ahead: Promise<Uint8Array | undefined> | undefined;
  #stopped = false;

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

  /** Undefined after the last one. A file that is shorter than `end` ends early. */
  async next(): Promise<Uint8Array | undefined> {
    const chunk = await (this.#ahead ?? this.#read());
    this.#ahead = chunk === undefined || this.#stopped ? undefined : this.#read();
    this.#ahead?.catch(() => {});
    return chunk;
  }

  /** Returns when no read is on its way, so that the descriptor can be closed. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#ahead?.catch(() => {});
  }

  #buffer(length: number): Uint8Array {
    const free = this.#buffers.length === 2 ? this.#buffers.shift() : undefined;
    const buffer =
      free !== undefined && free.byteLength >= length ? free : new Uint8Array(Buffer.allocUnsafeSlow(length).buffer);
    if (this.#reuse) this.#buffers.push(buffer);
    return buffer.byteLength === length ? buffer : buffer.subarray(0, length);
  }

  async #read(): Promise<Uint8Array | undefined> {
    const length = Math.min(this.#chunkBytes(), this.#end - this.#position);
    if (length <= 0 || this.#stopped) return undefined;
    const chunk = this.#buffer(length);
    const got = await asynchronousCalls.read(this.#fd, chunk, this.#position);
    this.#position = got < length ? this.#end : this.#position + got;
    if (got === 0) return undefined;
    return got === length ? chunk : chunk.subarray(0, got);
  }
}
