export { MemoryBlobInfoCache } from "./memory-blob-info-cache.js";
