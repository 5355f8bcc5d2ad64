import { lstatSync, realpathSync, type Stats } from "node:fs";
import { lstat, readdir, readlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type Cancellable, type Descriptor, digestAlgorithm, errorCode, fileKind, MoteError } from "@mote/core";
import { hashFile } from "../disk/chunks.js";
import { attempt, readFailed, writeFailed } from "../disk/file-error.js";
import { makeFolders } from "../disk/make-folders.js";
import { moveEntry } from "../disk/move-entry.js";
import { openEntry } from "../disk/opened-file.js";

interface Move {
  readonly from: string;
  readonly to: string;
  /** The identity of the folder of `to` when it was checked. */
  readonly folder: string;
}

export interface PlacingOptions extends Cancellable {
  /** Whether to replace files with other content. Folders and their other content always stay. */
  readonly overwrite: boolean;
}

/**
 * Moves the content of the folder `tree` to the same names in `dir`, after checking for conflicts. Identical files are
 * kept. Never follows a symbolic link in `dir`. @throws MOTE_EXISTS · MOTE_UNWRITABLE · MOTE_IO
 */
export async function placeTree(tree: string, dir: string, options: PlacingOptions): Promise<void> {
  const moves: Move[] = [];
  for await (const move of movesOf(tree, dir, options)) moves.push(move);
  for (const { from, to, folder } of moves) {
    options.signal?.throwIfAborted();
    if (identityOf(dirname(to)) !== folder) throw blocked(dirname(to), "a different folder than before");
    await attempt(moveEntry(from, to, options), to);
  }
}

async function* movesOf(tree: string, dir: string, options: PlacingOptions): AsyncGenerator<Move, void, undefined> {
  const folder = identityOf(dir);
  for (const entry of (await readdir(tree, { withFileTypes: true })).sort((a, b) => (a.name < b.name ? -1 : 1))) {
    options.signal?.throwIfAborted();
    const move = { from: join(tree, entry.name), to: join(dir, entry.name), folder };
    const there = await lstatIfExists(move.to);
    if (there === undefined) yield move;
    else if (entry.isDirectory() && there.isDirectory()) yield* movesOf(move.from, move.to, options);
    else if (isNeverReplaced(there, entry.isDirectory())) throw wrongKind(move.to, there);
    else if (await isSameEntry(move, options)) continue;
    else if (options.overwrite) yield move;
    else throw differentFile(move.to);
  }
}

/**
 * Returns whether a file is at its path below `root`, the resolved `dir`, already. False if `root` does not exist, and for folders.
 * @throws MOTE_EXISTS if something else is there that may not be replaced
 */
export async function isInPlace(
  root: string | undefined,
  dir: string,
  {
    path,
    descriptor,
    isFolder,
  }: { readonly path: string; readonly descriptor: Descriptor; readonly isFolder: boolean },
  { overwrite, signal }: PlacingOptions,
): Promise<boolean> {
  const there = root === undefined ? undefined : await lstatBelow(root, path);
  if (root === undefined || there === undefined) return false;
  if (isNeverReplaced(there, isFolder)) throw wrongKind(join(dir, path), there);
  if (isFolder) return false;
  const isSame = await isFileOf(join(root, path), descriptor, { signal });
  if (!isSame && !overwrite) throw differentFile(join(dir, path));
  return isSame;
}

/** Returns the entry at a path below a folder, or undefined. @throws MOTE_EXISTS if a parent is not a folder */
async function lstatBelow(dir: string, path: string): Promise<Stats | undefined> {
  const names = path.split("/");
  for (let depth = 1; depth < names.length; depth++) {
    const parent = join(dir, ...names.slice(0, depth));
    const there = await lstatIfExists(parent);
    if (there === undefined) return undefined;
    if (!there.isDirectory()) throw wrongKind(parent, there);
  }
  return lstatIfExists(join(dir, path));
}

/** Returns whether the file at `path` has exactly these bytes. Does not follow links. */
async function isFileOf(path: string, { digest, size }: Descriptor, { signal }: Cancellable): Promise<boolean> {
  const there = await lstatIfExists(path);
  if (!there?.isFile() || there.size !== size) return false;
  return (await hashOf(path, { algorithm: digestAlgorithm(digest), signal })) === digest;
}

/** Creates a folder, and resolves its links. @returns also the first folder that was created @throws as `unusableFolder` */
export function openFolder(dir: string): { readonly root: string; readonly made: string | undefined } {
  try {
    const made = makeFolders(dir);
    return { root: realpathSync(dir), made };
  } catch (error) {
    throw unusableFolder(error, dir);
  }
}

/** Returns the error for a path that cannot be a destination folder: MOTE_EXISTS, or as `writeFailed`. */
export function unusableFolder(error: unknown, dir: string): MoteError {
  // ENOENT for a dangling link.
  const isOther = ["EEXIST", "ENOTDIR", "ENOENT", "ELOOP"].includes(errorCode(error) ?? "");
  return isOther ? blocked(dir, "not a folder, or below what is not one") : writeFailed(error, dir);
}

/** Entries that stay even if files are replaced. */
function blocked(path: string, what: string): MoteError {
  return existsError(path, what, { isReplaceable: false });
}

function differentFile(path: string): MoteError {
  return existsError(path, "another file of that name, and would be lost", { isReplaceable: true });
}

function existsError(path: string, what: string, { isReplaceable }: { readonly isReplaceable: boolean }): MoteError {
  return new MoteError("MOTE_EXISTS", `${path} is ${what}; move it away, or choose another folder`, {
    details: { path, isReplaceable },
  });
}

export async function lstatIfExists(path: string): Promise<Stats | undefined> {
  return await lstat(path).catch((error: unknown) => {
    if (errorCode(error) === "ENOENT" || errorCode(error) === "ENOTDIR") return undefined;
    throw readFailed(error, path);
  });
}

/** Returns whether the existing entry always stays: only files and links are replaced, by files and links. */
function isNeverReplaced(there: Stats, isFolderComing: boolean): boolean {
  return there.isDirectory() !== isFolderComing || !(there.isDirectory() || there.isFile() || there.isSymbolicLink());
}

/** A folder where a file should be, or vice versa; or a FIFO, a socket or a device. */
function wrongKind(path: string, there: Stats): MoteError {
  if (there.isSymbolicLink()) return blocked(path, "a symbolic link, which is not followed");
  return blocked(path, there.isFile() ? "not a folder" : `${fileKind(there)}, which is not replaced`);
}

/** Returns the identity of a folder, unless it is a link. */
function identityOf(dir: string): string {
  const stats = lstatSync(dir, { bigint: true, throwIfNoEntry: false });
  return stats?.isDirectory() ? `${stats.dev}:${stats.ino}` : "";
}

async function isSameEntry({ from, to }: Pick<Move, "from" | "to">, options: Cancellable): Promise<boolean> {
  const [mine, there] = [await lstatIfExists(from), await lstatIfExists(to)];
  if (mine?.isSymbolicLink() && there?.isSymbolicLink()) return (await readlink(from)) === (await readlink(to));
  if (!mine?.isFile() || !there?.isFile() || mine.size !== there.size) return false;
  return (await hashOf(from, options)) === (await hashOf(to, options));
}

async function hashOf(path: string, options: Parameters<typeof hashFile>[2]): Promise<string> {
  const handle = await openEntry(path);
  try {
    const { size } = await handle.stat();
    return await hashFile({ handle, offset: 0, size }, path, options);
  } finally {
    await handle.close();
  }
}
