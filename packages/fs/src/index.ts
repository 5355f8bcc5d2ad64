export type { SharedWith } from "./cache-folder.js";
export { FileCache, type FileCacheOptions } from "./file-cache.js";
export type { KeepParts } from "./leftovers.js";
export type { Durability } from "./sync-group.js";
export { TagFiles } from "./tag-files.js";
