import { type BlobInfoCacheOptions, MemoryStorage, StoredBlobInfoCache } from "@mote/bic";
import type { BlobInfoCache } from "@mote/core";

/** What is known about blobs, for as long as this object exists. `close` removes it all. */
export class MemoryBlobInfoCache extends StoredBlobInfoCache implements BlobInfoCache {
  constructor(options: BlobInfoCacheOptions = {}) {
    super(async () => new MemoryStorage(), options);
  }
}
