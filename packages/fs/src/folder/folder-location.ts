import fs from "node:fs";
import { dirname } from "node:path";
import { errorCode, MoteError } from "@mote/core";
import { fileError } from "../disk/file-error.js";

/** Checks that a cache folder is or can be a directory. @throws MOTE_UNWRITABLE if the path or a parent is not a directory */
export function checkFolderLocation(root: string): void {
  let stats: fs.Stats | undefined;
  try {
    stats = fs.statSync(root, { throwIfNoEntry: false });
  } catch (error) {
    if (errorCode(error) !== "ENOTDIR" && errorCode(error) !== "ELOOP") throw fileError(error, "read", root);
  }
  if (stats?.isDirectory()) return;
  const inTheWay = nearestEntry(root);
  if (inTheWay === undefined) return;
  const { isLink, hasTarget } = inTheWay;
  const kind = hasTarget ? "a symbolic link to something other than a directory" : "a dangling symbolic link";
  const what = isLink ? kind : "not a directory";
  const where = inTheWay.path === root ? root : `${root} cannot be a cache folder: ${inTheWay.path}`;
  throw new MoteError("MOTE_UNWRITABLE", `${where} is ${what}; a cache needs a folder`, {
    details: { path: root, errno: "ENOTDIR" },
  });
}

interface InTheWay {
  readonly path: string;
  readonly isLink: boolean;
  readonly hasTarget: boolean;
}

/** Returns whatever has the path's name or, if nothing does, that of its nearest existing ancestor. */
function nearestEntry(path: string): InTheWay | undefined {
  for (let at = path; ; at = dirname(at)) {
    let entry: fs.Stats | undefined;
    let target: fs.Stats | undefined;
    try {
      entry = fs.lstatSync(at, { throwIfNoEntry: false });
      if (entry !== undefined) target = fs.statSync(at);
      if (target?.isDirectory()) return undefined;
    } catch (error) {
      if (entry === undefined && errorCode(error) !== "ENOTDIR") return undefined;
    }
    if (entry !== undefined) {
      return { path: at, isLink: entry.isSymbolicLink(), hasTarget: target !== undefined };
    }
    if (dirname(at) === at) return undefined;
  }
}
