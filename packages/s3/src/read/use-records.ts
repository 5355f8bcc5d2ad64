import { BoundedMap, type Digest } from "@mote/core";
import type { CacheBucket } from "../bucket/cache-bucket.js";
import { headerTimeMs } from "../http/exchange.js";

const maxRecent = 20_000;
const maxPending = 16;

/**
 * Records when blobs are used: an empty object for each blob that is read again some time after it was stored or last used. S3 has no time of
 * the last access, and to copy an object onto itself would copy its bytes.
 */
export class UseRecords {
  readonly #from: CacheBucket;
  readonly #precisionMs: number;
  readonly #recent = new BoundedMap<Digest, number>(maxRecent);
  readonly #pending = new Set<Promise<void>>();
  #hasWarned = false;

  constructor(from: CacheBucket, precisionMs: number) {
    this.#from = from;
    this.#precisionMs = precisionMs;
  }

  /** Records a use in the background. Reading never waits for it, and does not fail if it fails. @param storedMs of the blob */
  record(digest: Digest, storedMs: number | undefined): void {
    const nowMs = Date.now();
    const isRecent = (atMs: number | undefined) => atMs !== undefined && nowMs - atMs < this.#precisionMs;
    if (isRecent(storedMs) || isRecent(this.#recent.get(digest))) return;
    // A use that is not recorded makes the blob look older; a queue without end would be worse.
    if (this.#pending.size >= maxPending) return;
    this.#recent.set(digest, nowMs);
    const work = this.#record(digest, isRecent).catch((error: unknown) => {
      if (!this.#hasWarned) this.#from.logger.warn("cannot record the use of blobs in the bucket", { digest, error });
      this.#hasWarned = true;
    });
    this.#pending.add(work);
    work.finally(() => this.#pending.delete(work));
  }

  /** Waits for records that are being made. */
  async settle(): Promise<void> {
    await Promise.all(this.#pending);
  }

  async #record(digest: Digest, isRecent: (atMs: number | undefined) => boolean): Promise<void> {
    const key = this.#from.keys.of("used", digest);
    const what = `record the use of ${digest}`;
    // A HEAD costs a tenth of a PUT, and many readers use a blob in the same hour.
    const head = await this.#from.bucket.head(key, what);
    if (isRecent(head && headerTimeMs(head, "last-modified"))) return;
    await this.#from.bucket.write(key, { bytes: new Uint8Array() }, { what });
  }
}
