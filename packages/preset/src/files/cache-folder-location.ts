import { resolve } from "node:path";

/** Checks that a cache folder is a directory, or that one can be made there, for a caller that does not open it. @throws MOTE_UNWRITABLE */
export async function checkCacheFolder(dir: string): Promise<void> {
  const { checkFolderLocation } = await import("@mote/fs");
  checkFolderLocation(resolve(dir));
}
