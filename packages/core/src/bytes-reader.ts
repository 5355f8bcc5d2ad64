import type { MoteInfo } from "./mote.js";
import { ReadOnceReader } from "./read-once-reader.js";

/** A reader of bytes that are in memory. They are its chunk as they are, so they must not change any more. */
export class BytesReader extends ReadOnceReader {
  readonly #bytes: Uint8Array;

  constructor(info: MoteInfo, bytes: Uint8Array) {
    super(info);
    this.#bytes = bytes;
  }

  protected async *chunks(): AsyncGenerator<Uint8Array, void, undefined> {
    this.assertOpen();
    if (this.#bytes.byteLength > 0) yield this.#bytes;
  }
}
