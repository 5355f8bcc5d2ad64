export type { SharedWith } from "./cache-folder.js";
export { examineFolder, type FolderFindings } from "./examine-folder.js";
export { FileCache, type FileCacheOptions } from "./file-cache.js";
export { FileTagStore } from "./file-tag-store.js";
export { checkFolderPlace } from "./folder-place.js";
export type { KeepParts } from "./leftovers.js";
export type { Durability } from "./sync-group.js";
