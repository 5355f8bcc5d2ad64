import fs from "node:fs";
import { isAbsolute, join, parse, sep } from "node:path";
import { errorCode } from "@mote/core";

const othersMayWrite = 0o022;
const sticky = 0o1000;
const root = 0;

/**
 * Creates the folder `name` in `parent` (mode 0700), and returns its real path. Undefined if another user owns it, or can write to it
 * or replace it.
 */
export function ownFolder(parent: string, name: string): string | undefined {
  const uid = process.getuid?.();
  if (uid === undefined || !isAbsolute(parent)) return undefined;
  try {
    if (!hasTrustedLinks(parent, uid)) return undefined;
    makeFolder(parent);
    const real = fs.realpathSync(parent);
    if (!isSafe(real, uid)) return undefined;
    const folder = join(real, name);
    makeFolder(folder);
    const stats = fs.lstatSync(folder);
    const isOwn = stats.isDirectory() && stats.uid === uid && (stats.mode & othersMayWrite) === 0;
    return isOwn ? folder : undefined;
  } catch {
    return undefined;
  }
}

/** Creates one directory, but none above it: not the home directory of a user without one. */
function makeFolder(folder: string): void {
  try {
    fs.mkdirSync(folder, { mode: 0o700 });
  } catch (error) {
    if (errorCode(error) !== "EEXIST") throw error;
  }
}

/** Returns whether this user or root owns every symbolic link on the path. */
function hasTrustedLinks(path: string, uid: number): boolean {
  return ancestors(path).every((folder) => {
    const stats = fs.lstatSync(folder, { throwIfNoEntry: false });
    return !stats?.isSymbolicLink() || stats.uid === uid || stats.uid === root;
  });
}

/** Returns whether only this user and root can replace a directory on the path. In a sticky directory others cannot, see rename(2). */
function isSafe(real: string, uid: number): boolean {
  return ancestors(real).every((folder) => {
    const { uid: owner, mode } = fs.lstatSync(folder);
    return (owner === uid || owner === root) && ((mode & othersMayWrite) === 0 || (mode & sticky) !== 0);
  });
}

/** Returns the path and all its parents, the root first. */
function ancestors(path: string): string[] {
  const { root: top } = parse(path);
  const names = path.slice(top.length).split(sep).filter(Boolean);
  const folders = [top];
  // Not joined: the path is checked at each start, and to normalize it takes longer than the calls.
  let folder = top;
  for (const name of names) {
    folder += folder.endsWith(sep) ? name : `${sep}${name}`;
    folders.push(folder);
  }
  return folders;
}
