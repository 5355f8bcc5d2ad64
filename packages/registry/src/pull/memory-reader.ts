import { MoteError, type MoteInfo, type MoteReader } from "@mote/core";

/** A reader of bytes that are here already. */
export class MemoryReader implements MoteReader {
  readonly info: MoteInfo;
  readonly #bytes: Uint8Array;
  #closed = false;

  constructor(info: MoteInfo, bytes: Uint8Array) {
    this.info = info;
    this.#bytes = bytes;
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    if (this.#closed)
      throw new MoteError("MOTE_CLOSED", `the reader of ${this.info.digest} is closed or has been read`);
    this.#closed = true;
    return chunksOf(this.#bytes);
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

async function* chunksOf(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  if (bytes.byteLength > 0) yield bytes;
}
