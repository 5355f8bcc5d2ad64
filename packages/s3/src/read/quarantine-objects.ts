import { type Cancellable, type Digest, hasCode, type QuarantineSize, verifyChunks } from "@mote/core";
import type { CacheBucket } from "../bucket/cache-bucket.js";
import type { BlobSource } from "./blob-source.js";

/** Moves damaged blobs out of the way. */
export class QuarantineObjects {
  readonly #from: CacheBucket;
  readonly #source: BlobSource;

  constructor(from: CacheBucket, source: BlobSource) {
    this.#from = from;
    this.#source = source;
  }

  /** Reads a blob again, and quarantines it if it is damaged in the bucket, not only on the way. Does not fail. */
  async quarantine(digest: Digest): Promise<void> {
    try {
      if (await this.matchesDigest(digest)) {
        this.#from.logger.warn("a blob was damaged on the way from the bucket", { digest });
        return;
      }
      await this.move(digest);
    } catch (error) {
      this.#from.logger.warn("cannot quarantine a damaged blob", { digest, error });
    }
  }

  /** Returns whether a blob matches its digest; true if it does not exist. */
  async matchesDigest(digest: Digest, { signal }: Cancellable = {}): Promise<boolean> {
    const opened = await this.#source.open(digest, { start: 0 }, { signal });
    if (opened === undefined) return true;
    try {
      for await (const _ of verifyChunks(opened.response?.body ?? [], opened.info, { damage: true }));
      return true;
    } catch (error) {
      if (hasCode(error, "MOTE_CORRUPT")) return false;
      throw this.#from.bucket.client.bodyError(error, `verify ${digest}`);
    } finally {
      opened.response?.discard();
    }
  }

  /** Copies a blob to the quarantine and removes it. One that is too large to copy is only removed. */
  async move(digest: Digest): Promise<string> {
    const [from, to] = [this.#from.keys.blob(digest), this.#from.keys.of("quarantine", digest)];
    const what = `quarantine ${digest}`;
    const source = `/${this.#from.bucket.client.address.bucket}/${from}`.split("/").map(encodeURIComponent).join("/");
    try {
      await this.#from.bucket.write(
        to,
        { bytes: new Uint8Array() },
        { what, headers: { "x-amz-copy-source": source } },
      );
    } catch (error) {
      this.#from.logger.warn("cannot copy a damaged blob to the quarantine; removing it", { digest, error });
    }
    await this.#from.bucket.remove(from, what);
    this.#from.logger.warn("a blob in the bucket was damaged and is quarantined", { digest, key: to });
    return to;
  }

  async size({ signal }: Cancellable = {}): Promise<QuarantineSize> {
    let [files, bytes] = [0, 0];
    for await (const { size } of this.list({ signal })) {
      files++;
      bytes += size;
    }
    return { files, bytes };
  }

  list({ signal }: Cancellable = {}) {
    return this.#from.bucket.list(this.#from.keys.folder("quarantine"), "list the quarantine", { signal });
  }
}
