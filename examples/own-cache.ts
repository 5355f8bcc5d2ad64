// A cache of your own: one in memory that bounds itself, for a worker that has no disk. `test/own-cache.test.ts` runs the contract of
// `@mote/conformance` against it. A cache that wraps another one passes on what it does not change.
import { readFile, rm } from "node:fs/promises";
import { type Digest, MemoryCache, type MoteWriter } from "@mote/core";

export class BoundedCache extends MemoryCache {
  readonly #maxBytes: number;

  constructor(maxBytes: number) {
    super({ files: { readFile, rm } });
    this.#maxBytes = maxBytes;
  }

  /** Once a mote is stored, what was used least recently goes. */
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
