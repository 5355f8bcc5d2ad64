export type { Durability } from "./disk/sync-group.js";
export { FileCache } from "./file-cache.js";
export type { FileCacheOptions } from "./file-cache-options.js";
export type { SharedWith } from "./folder/cache-folder.js";
export { examineFolder, type FolderFindings } from "./folder/examine-folder.js";
export { checkFolderLocation } from "./folder/folder-location.js";
export type { KeepIngests } from "./prune/orphans.js";
