import { MoteError, type MoteReader, type MoteReaderAt } from "@mote/core";

/** Opens bytes `start` to `end`, exclusive. */
export type OpenRange = (start: number, end: number, signal: AbortSignal | undefined) => Promise<MoteReader>;

/** Random access, one request per read. */
export class RangeReaderAt implements MoteReaderAt {
  readonly size: number;
  readonly #open: OpenRange;
  #closed = false;

  constructor(size: number, open: OpenRange) {
    this.size = size;
    this.#open = open;
  }

  async readAt(into: Uint8Array, position: number, options: { readonly signal?: AbortSignal } = {}): Promise<number> {
    if (this.#closed) throw new MoteError("MOTE_CLOSED", "the reader is closed");
    if (!Number.isSafeInteger(position) || position < 0)
      throw new TypeError(`position must be a number of bytes, not ${position}`);
    const end = Math.min(position + into.byteLength, this.size);
    if (position >= end) return 0;
    await using reader = await this.#open(position, end, options.signal);
    let filled = 0;
    for await (const chunk of reader) {
      into.set(chunk, filled);
      filled += chunk.byteLength;
    }
    return filled;
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
