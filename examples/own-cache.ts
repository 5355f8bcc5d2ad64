// A cache in memory with a size limit, for workers without a disk. `test/own-cache.test.ts` runs the contract tests of `@mote/conformance`.
// A cache that wraps another one forwards everything that it does not change.
import { readFile, rm } from "node:fs/promises";
import { type Digest, MemoryCache, type MoteWriter } from "@mote/core";

export class BoundedCache extends MemoryCache {
  readonly #maxBytes: number;

  constructor(maxBytes: number) {
    super({ files: { readFile, rm } });
    this.#maxBytes = maxBytes;
  }

  /** Removes the least recently used motes after each write. */
  override async moteWriter(digest: Digest): Promise<MoteWriter> {
    const writer = await super.moteWriter(digest);
    return {
      get bytesWritten() {
        return writer.bytesWritten;
      },
      write: (bytes) => writer.write(bytes),
      close: async () => {
        const info = await writer.close();
        await this.prune(this.#maxBytes);
        return info;
      },
      abort: () => writer.abort(),
      [Symbol.asyncDispose]: () => writer.abort(),
    };
  }
}
