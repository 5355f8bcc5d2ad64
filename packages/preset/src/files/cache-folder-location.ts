import { resolve } from "node:path";

/** Checks, without opening the cache, that its folder is a directory or could be created. @throws MOTE_UNWRITABLE */
export async function checkCacheFolder(dir: string): Promise<void> {
  const { checkFolderLocation } = await import("@mote/fs");
  checkFolderLocation(resolve(dir));
}
