import { type Cancellable, type Digest, type Pins, parseDigest } from "@mote/core";
import type { Bucket } from "../bucket/bucket.js";
import type { BucketKeys } from "../bucket/keys.js";
import type { ReadyBucket } from "../tags/s3-tag-store.js";

/** Pins as empty objects, one for each digest. */
export class BucketPins implements Pins {
  readonly #bucket: Bucket;
  readonly #keys: BucketKeys;
  readonly #ready: ReadyBucket;

  constructor(from: { readonly bucket: Bucket; readonly keys: BucketKeys }, ready: ReadyBucket) {
    this.#bucket = from.bucket;
    this.#keys = from.keys;
    this.#ready = ready;
  }

  async pin(digest: Digest, { signal }: Cancellable = {}): Promise<void> {
    const key = this.#keys.of("pins", parseDigest(digest));
    await this.#ready({ signal, toWrite: true });
    await this.#bucket.write(key, { bytes: new Uint8Array() }, { what: `pin ${digest}`, signal });
  }

  async unpin(digest: Digest, { signal }: Cancellable = {}): Promise<void> {
    const key = this.#keys.of("pins", parseDigest(digest));
    await this.#ready({ signal, toWrite: false });
    await this.#bucket.remove(key, `unpin ${digest}`, { signal });
  }

  async *pins({ signal }: Cancellable = {}): AsyncGenerator<Digest, void, undefined> {
    await this.#ready({ signal, toWrite: false });
    for await (const { key } of this.#bucket.list(this.#keys.folder("pins"), "list the pins", { signal })) {
      const digest = this.#keys.digestAt("pins", key);
      if (digest !== undefined) yield digest;
    }
  }
}
