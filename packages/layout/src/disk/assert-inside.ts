import { lstatSync, realpathSync } from "node:fs";
import { MoteError } from "@mote/core";

/** Checks the way to a folder below another one. @throws MOTE_EXISTS if a symbolic link on that way leads out of `dir` */
export function assertInside(dir: string, folder: string): void {
  // The plain ones look at each folder on the way with a call from JavaScript, for each blob.
  const root = realpathSync.native(dir);
  if (realpathSync.native(folder).startsWith(`${root}/`)) return;
  throw linkInTheWay(folder, `leads out of ${dir}`);
}

/** @throws MOTE_EXISTS if the file is a symbolic link, which writing it would replace */
export function assertNotLink(path: string): void {
  if (lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink()) throw linkInTheWay(path, "would be replaced");
}

function linkInTheWay(path: string, what: string): MoteError {
  return new MoteError("MOTE_EXISTS", `${path} is a symbolic link that ${what}; remove it, or choose another folder`, {
    details: { path, isReplaceable: false },
  });
}
