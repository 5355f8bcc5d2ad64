import { type Cancellable, type Digest, digestEncoded, mediaTypes, type StoredMote } from "@mote/core";
import type { Bucket, ListedObject } from "../bucket/bucket.js";
import type { BucketKeys } from "../bucket/keys.js";

/** A blob in a listing. */
export interface StoredBlob extends StoredMote {
  /** When it was stored or last used, in Unix milliseconds. */
  readonly usedMs: number;
  readonly storedMs: number;
  /** The server's time when it was listed. */
  readonly listedMs: number;
}

/** A record of a use whose blob is not stored. */
export interface OrphanedUse {
  readonly orphan: string;
  readonly modifiedMs: number;
  readonly listedMs: number;
}

/** Yields all blobs with the time of their last use. Both listings are in the order of digests, so that they are merged page by page. */
export async function* listBlobs(
  bucket: Bucket,
  keys: BucketKeys,
  options: Cancellable = {},
): AsyncGenerator<StoredBlob | OrphanedUse> {
  const uses = bucket.list(keys.folder("used"), "list the uses of blobs", options);
  let use = await nextUse(uses, keys);
  try {
    for await (const object of bucket.list(keys.blobs, "list the blobs", options)) {
      const digest = keys.blobAt(object.key);
      // Other programs' objects are not blobs.
      if (digest === undefined) continue;
      while (use !== undefined && isBefore(use.digest, digest)) {
        yield orphanOf(use.object);
        use = await nextUse(uses, keys);
      }
      const usedMs = use?.digest === digest ? use.object.modifiedMs : 0;
      yield {
        ...{ digest, size: object.size, mediaType: mediaTypes.octetStream, listedMs: object.listedMs },
        storedMs: object.modifiedMs,
        usedMs: Math.max(object.modifiedMs, usedMs),
      };
      if (use?.digest === digest) use = await nextUse(uses, keys);
    }
    for (; use !== undefined; use = await nextUse(uses, keys)) yield orphanOf(use.object);
  } finally {
    await uses.return();
  }
}

async function nextUse(
  uses: AsyncIterator<ListedObject>,
  keys: BucketKeys,
): Promise<{ digest: Digest; object: ListedObject } | undefined> {
  for (;;) {
    const { done, value } = await uses.next();
    if (done) return undefined;
    const digest = keys.digestAt("used", value.key);
    if (digest !== undefined) return { digest, object: value };
  }
}

function isBefore(one: Digest, other: Digest): boolean {
  // As the keys: the algorithms have the same length.
  return one.slice(0, 6) === other.slice(0, 6) ? digestEncoded(one) < digestEncoded(other) : one < other;
}

function orphanOf({ key, modifiedMs, listedMs }: ListedObject): OrphanedUse {
  return { orphan: key, modifiedMs, listedMs };
}
