export { LmdbBlobInfoCache } from "./lmdb-blob-info-cache.js";
