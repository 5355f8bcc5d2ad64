import { resolve } from "node:path";
import { type BlobInfoCacheOptions, StoredBlobInfoCache } from "@mote/bic";
import { silentLogger } from "@mote/core";
import { StorageOpener } from "./open-storage.js";

/** Stores a blob-info cache in an LMDB file that many processes can share. */
export class LmdbBlobInfoCache extends StoredBlobInfoCache {
  /** `path` is the file, which is created at first use with its parent folders. */
  constructor(path: string, options: BlobInfoCacheOptions = {}) {
    const opener = new StorageOpener(resolve(path), options.logger ?? silentLogger);
    super(() => opener.open(), options);
  }
}
