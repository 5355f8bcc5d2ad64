import { lstat, readdir, readlink, rename } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import {
  type Cancellable,
  createDigester,
  type Descriptor,
  type DigestAlgorithm,
  digestAlgorithm,
  MoteError,
} from "@mote/core";
import { readChunks } from "./chunks.js";
import { errorNumber, readFailed, writeFailed } from "./file-error.js";
import { FolderFiles } from "./named-files.js";

interface Move {
  readonly from: string;
  readonly to: string;
}

export interface PlacingOptions extends Cancellable {
  /** Whether files that are other than those to come are replaced. Folders and what else they hold stay in any case. */
  readonly overwrite: boolean;
}

/**
 * Moves everything of the folder `tree` to the same names in the folder `dir` on the same file system. Nothing is moved before
 * it is known that nothing stands in the way; what is there already, the same, is left.
 * @throws MOTE_EXISTS · MOTE_UNWRITABLE · MOTE_IO
 */
export async function placeTree(tree: string, dir: string, options: PlacingOptions): Promise<void> {
  const moves: Move[] = [];
  for await (const move of movesOf(tree, dir, options)) moves.push(move);
  for (const { from, to } of moves) {
    options.signal?.throwIfAborted();
    await rename(from, to).catch((error: unknown) => {
      throw writeFailed(error, to);
    });
  }
}

async function* movesOf(tree: string, dir: string, options: PlacingOptions): AsyncGenerator<Move, void, undefined> {
  for (const entry of (await readdir(tree, { withFileTypes: true })).sort((a, b) => (a.name < b.name ? -1 : 1))) {
    options.signal?.throwIfAborted();
    const move = { from: join(tree, entry.name), to: join(dir, entry.name) };
    const there = await lookAt(move.to);
    if (there === undefined) yield move;
    else if (entry.isDirectory() && there.isDirectory()) yield* movesOf(move.from, move.to, options);
    else if (entry.isDirectory() || there.isDirectory()) throw inTheWay(move.to, "a folder, or in the place of one");
    else if (await isSameEntry(move, options)) continue;
    else if (options.overwrite) yield move;
    else throw otherFile(move.to);
  }
}

/** Whether the file at `path` has these very bytes. A link is not followed. */
export async function isFileOf(path: string, { digest, size }: Descriptor, { signal }: Cancellable): Promise<boolean> {
  const there = await lookAt(path);
  if (!there?.isFile() || there.size !== size) return false;
  return (await hashOf(path, { algorithm: digestAlgorithm(digest), signal })) === digest;
}

export function inTheWay(path: string, what: string): MoteError {
  return new MoteError("MOTE_EXISTS", `${path} is ${what}; move it away, or choose another folder`, {
    details: { path },
  });
}

export function otherFile(path: string): MoteError {
  return inTheWay(path, "another file of that name, and would be lost");
}

export async function lookAt(path: string) {
  return await lstat(path).catch((error: unknown) => {
    if (errorNumber(error) === "ENOENT" || errorNumber(error) === "ENOTDIR") return undefined;
    throw readFailed(error, path);
  });
}

async function isSameEntry({ from, to }: Move, options: Cancellable): Promise<boolean> {
  const [mine, there] = [await lookAt(from), await lookAt(to)];
  if (mine?.isSymbolicLink() && there?.isSymbolicLink()) return (await readlink(from)) === (await readlink(to));
  if (!mine?.isFile() || !there?.isFile() || mine.size !== there.size) return false;
  return (await hashOf(from, options)) === (await hashOf(to, options));
}

async function hashOf(
  path: string,
  { algorithm, signal }: Cancellable & { readonly algorithm?: DigestAlgorithm },
): Promise<string> {
  const file = await new FolderFiles(dirname(path)).open(basename(path));
  try {
    const digester = createDigester(algorithm);
    for await (const chunk of readChunks(file, 0, path, signal)) digester.update(chunk);
    return digester.digest();
  } finally {
    await file.handle.close();
  }
}
