import { resolve } from "node:path";
import { type BlobInfoCacheOptions, StoredBlobInfoCache } from "@mote/bic";
import { silentLogger } from "@mote/core";
import { StorageOpener } from "./open-storage.js";

/** What is known about blobs, in one LMDB file that many processes may use at once. */
export class LmdbBlobInfoCache extends StoredBlobInfoCache {
  /** `path`: the file; it and the folders above it are made at first use. */
  constructor(path: string, options: BlobInfoCacheOptions = {}) {
    const opener = new StorageOpener(resolve(path), options.logger ?? silentLogger);
    super(() => opener.open(), options);
  }
}
