import { CacheError, type MoteReader } from "@mote/core";

/** Reads a cached mote and stores the cache's error, because the consumer may replace it with its own. */
export class CachedChunks implements AsyncIterable<Uint8Array> {
  error: CacheError | undefined;
  readonly #reader: MoteReader;
  readonly #onBytes: (bytes: number) => void;

  constructor(reader: MoteReader, onBytes: (bytes: number) => void) {
    this.#reader = reader;
    this.#onBytes = onBytes;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    let bytes = 0;
    const chunks = this.#reader[Symbol.asyncIterator]();
    for (;;) {
      const next = await chunks.next().catch((error: unknown) => {
        this.error = CacheError.reading(error);
        throw this.error;
      });
      if (next.done) return;
      bytes += next.value.byteLength;
      this.#onBytes(bytes);
      yield next.value;
    }
  }
}
