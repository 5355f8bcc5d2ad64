import fs from "node:fs";
import { isAbsolute, join, parse, sep } from "node:path";

const othersMayWrite = 0o022;
const sticky = 0o1000;
const root = 0;

/**
 * Returns the real path of the folder `name` in `parent`, which are created (mode 0700) where the folder above them exists.
 * Undefined unless `name` belongs to this user, nobody else can write to it, and nobody else can put another one in its place.
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

/** Creates one folder, and none above it: not the home of a user that has none. */
function makeFolder(folder: string): void {
  try {
    fs.mkdirSync(folder, { mode: 0o700 });
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
  }
}

/** Whether every symbolic link on the way was made by this user or root. */
function hasTrustedLinks(path: string, uid: number): boolean {
  return ancestors(path).every((folder) => {
    const stats = fs.lstatSync(folder, { throwIfNoEntry: false });
    return !stats?.isSymbolicLink() || stats.uid === uid || stats.uid === root;
  });
}

/** Whether only this user and root can replace a folder on the way: as in rename(2), a sticky folder keeps others from it. */
function isSafe(real: string, uid: number): boolean {
  return ancestors(real).every((folder) => {
    const { uid: owner, mode } = fs.lstatSync(folder);
    return (owner === uid || owner === root) && ((mode & othersMayWrite) === 0 || (mode & sticky) !== 0);
  });
}

/** The path and all that is above it, the topmost first. */
function ancestors(path: string): string[] {
  const { root: top } = parse(path);
  const names = path.slice(top.length).split(sep).filter(Boolean);
  const folders = [top];
  for (const name of names) folders.push(join(folders.at(-1) ?? top, name));
  return folders;
}
