import { assertByteCount } from "./check-arguments.js";
import type { Digest } from "./digest.js";
import { MoteError } from "./error.js";
import type { MoteInfo, MoteReaderAt, ReadOptions } from "./mote.js";
import { ReadOnceReader } from "./read-once-reader.js";

/** Reads bytes in memory as one chunk. The bytes are not copied and must not change. */
export class BytesReader extends ReadOnceReader {
  /** What it reads. Must not be changed. */
  readonly bytes: Uint8Array;
  readonly #signal: AbortSignal | undefined;

  /** @param bytes the complete mote */
  constructor(info: MoteInfo, bytes: Uint8Array, { start, end, signal }: ReadOptions = {}) {
    super(info);
    this.bytes = bytes.subarray(start, end);
    this.#signal = signal;
  }

  protected async *chunks(): AsyncGenerator<Uint8Array, void, undefined> {
    this.#signal?.throwIfAborted();
    this.assertOpen();
    if (this.bytes.byteLength > 0) yield this.bytes;
  }
}

/** Reads bytes in memory at any position. */
export class BytesReaderAt implements MoteReaderAt {
  readonly #digest: Digest;
  readonly #bytes: Uint8Array;
  #isClosed = false;

  constructor(digest: Digest, bytes: Uint8Array) {
    this.#digest = digest;
    this.#bytes = bytes;
  }

  get size(): number {
    return this.#bytes.byteLength;
  }

  async readAt(into: Uint8Array, position: number): Promise<number> {
    assertByteCount(position);
    if (this.#isClosed) throw new MoteError("MOTE_CLOSED", `the reader of ${this.#digest} is closed`);
    const bytes = this.#bytes.subarray(position, position + into.byteLength);
    into.set(bytes);
    return bytes.byteLength;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
