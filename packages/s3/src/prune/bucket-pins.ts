import { type Cancellable, type Digest, type Pins, parseDigest } from "@mote/core";
import type { CacheBucket } from "../bucket/cache-bucket.js";

/** Pins as empty objects, one for each digest. */
export class BucketPins implements Pins {
  readonly #from: CacheBucket;

  constructor(from: CacheBucket) {
    this.#from = from;
  }

  async pin(digest: Digest, { signal }: Cancellable = {}): Promise<void> {
    const key = this.#from.keys.of("pins", parseDigest(digest));
    await this.#from.ready({ signal, toWrite: true });
    await this.#from.bucket.write(key, { bytes: new Uint8Array() }, { what: `pin ${digest}`, signal });
  }

  async unpin(digest: Digest, { signal }: Cancellable = {}): Promise<void> {
    const key = this.#from.keys.of("pins", parseDigest(digest));
    await this.#from.ready({ signal, toWrite: false });
    await this.#from.bucket.remove(key, `unpin ${digest}`, { signal });
  }

  async *pins({ signal }: Cancellable = {}): AsyncGenerator<Digest, void, undefined> {
    await this.#from.ready({ signal, toWrite: false });
    for await (const { key } of this.#from.bucket.list(this.#from.keys.folder("pins"), "list the pins", { signal })) {
      const digest = this.#from.keys.digestAt("pins", key);
      if (digest !== undefined) yield digest;
    }
  }
}
