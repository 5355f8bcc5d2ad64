import { lstatSync, realpathSync } from "node:fs";
import { MoteError } from "@mote/core";

/** Checks the path to a nested folder. @throws MOTE_EXISTS if a symbolic link on it leads out of `dir` */
export function assertInside(dir: string, folder: string): void {
  // Other variants make a call from JavaScript per path component, for each blob.
  const root = realpathSync.native(dir);
  if (realpathSync.native(folder).startsWith(`${root}/`)) return;
  throw linkInTheWay(folder, `leads out of ${dir}`);
}

/** Returns whether a folder exists and is not a symbolic link: if its parent is inside a folder, then so is it. */
export function isRealFolder(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

/** @throws MOTE_EXISTS if the file is a symbolic link, which a write would replace */
export function assertNotLink(path: string): void {
  if (lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink()) throw linkInTheWay(path, "would be replaced");
}

function linkInTheWay(path: string, what: string): MoteError {
  return new MoteError("MOTE_EXISTS", `${path} is a symbolic link that ${what}; remove it, or choose another folder`, {
    details: { path, isReplaceable: false },
  });
}
