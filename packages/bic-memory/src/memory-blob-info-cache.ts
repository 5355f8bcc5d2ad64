import { type BlobInfoCacheOptions, MemoryStorage, StoredBlobInfoCache } from "@mote/core";

/** What is known about blobs, for as long as this object is there. `close` forgets it all. */
export class MemoryBlobInfoCache extends StoredBlobInfoCache {
  constructor(options: BlobInfoCacheOptions = {}) {
    super(async () => new MemoryStorage(), options);
  }
}
