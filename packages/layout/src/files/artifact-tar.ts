import { isUtf8 } from "node:buffer";
import type { Dirent } from "node:fs";
import { readdir, readlink } from "node:fs/promises";
import { join } from "node:path";
import { type Cancellable, joinChunks, MoteError } from "@mote/core";
import { readChunks } from "../disk/chunks.js";
import { attemptRead } from "../disk/file-error.js";
import { openEntry } from "../disk/opened-file.js";
import { isTemporaryName } from "../disk/temporary-name.js";
import { blockBytes, paddedBytes, type TarType, writeTarHeader } from "../tar/tar-header.js";
import { staysInside } from "./packed-link.js";

const batchBytes = 256 * 1024;

/**
 * Yields a folder as a tar below the name `title`. The same files, names, links and executable bits give the same bytes.
 * @throws MOTE_NOT_FOUND · MOTE_IO also for other file types, and for links that lead out of the folder
 */
export async function* folderTarChunks(
  dir: string,
  title: string,
  { signal }: Cancellable,
): AsyncGenerator<Uint8Array, void, undefined> {
  yield* batches(tarBlocks(dir, title, signal));
}

async function* tarBlocks(
  dir: string,
  title: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  const named = (path: string) => [title === "." ? "" : title, path].filter((part) => part !== "").join("/") || ".";
  yield writeTarHeader(`${named("")}/`, 0, "folder");
  for await (const { path, kind } of walk(dir, "", signal)) {
    const name = named(path);
    const location = join(dir, path);
    if (kind === "folder") yield writeTarHeader(`${name}/`, 0, "folder");
    else if (kind === "link") yield writeTarHeader(name, 0, "link", await linkTarget(location, path));
    else yield* fileChunks(location, name, signal);
  }
  yield new Uint8Array(2 * blockBytes);
}

interface Found {
  /** Below the folder, with `/` between names. */
  readonly path: string;
  readonly kind: "file" | "folder" | "link";
}

/** In a fixed order: by code unit, each folder before its content. */
async function* walk(
  dir: string,
  below: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<Found, void, undefined> {
  signal?.throwIfAborted();
  const location = join(dir, below);
  const entries = await attemptRead(readdir(location, { withFileTypes: true }), location);
  if (entries.some(({ name }) => name.includes("\u{fffd}"))) await assertUtf8Names(location);
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    // Temporary files of a running or killed pull into this folder or an archive in it.
    if (isTemporaryName(entry.name)) continue;
    const path = below === "" ? entry.name : `${below}/${entry.name}`;
    const kind = kindOf(entry, join(dir, path));
    yield { path, kind };
    if (kind === "folder") yield* walk(dir, path, signal);
  }
}

function kindOf(entry: Dirent, location: string): Found["kind"] {
  if (entry.isFile()) return "file";
  if (entry.isDirectory()) return "folder";
  if (entry.isSymbolicLink()) return "link";
  throw new MoteError("MOTE_IO", `cannot pack ${location}: it is not a file, folder or link; leave it out`, {
    details: { path: location },
  });
}

/** Names that are not UTF-8 would change. */
async function assertUtf8Names(dir: string): Promise<void> {
  const names = await attemptRead(readdir(dir, { encoding: "buffer" }), dir);
  const invalid = names.find((name) => !isUtf8(name));
  if (invalid !== undefined) throw notUtf8(join(dir, invalid.toString()), "has a name");
}

function notUtf8(path: string, what: string): MoteError {
  return new MoteError("MOTE_INVALID_NAME", `cannot pack ${path}: it ${what} that is not valid UTF-8; rename it`, {
    details: { path },
  });
}

async function linkTarget(location: string, path: string): Promise<string> {
  const bytes = await attemptRead(readlink(location, { encoding: "buffer" }), location);
  if (!isUtf8(bytes)) throw notUtf8(location, "is a link to a name");
  const target = bytes.toString();
  if (staysInside(path, target)) return target;
  throw new MoteError(
    "MOTE_IO",
    `cannot pack ${location}: it is a link out of its folder (to ${target}); replace it with a copy, as cp -rL does`,
    { details: { path: location, target } },
  );
}

async function* fileChunks(
  location: string,
  name: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  const handle = await openEntry(location);
  try {
    const stats = await handle.stat();
    const { size } = stats;
    const type: TarType = stats.mode & 0o100 ? "program" : "file";
    yield writeTarHeader(name, size, type);
    let seen = 0;
    for await (const chunk of readChunks({ handle, offset: 0, size }, 0, location, signal)) {
      seen += chunk.byteLength;
      yield chunk;
    }
    if (seen !== size || !stats.isFile()) {
      throw new MoteError("MOTE_IO", `${location} changed while it was packed; try again when no process writes to it`);
    }
    yield new Uint8Array(paddedBytes(size) - size);
  } finally {
    await handle.close();
  }
}

/** Merges small chunks: later steps have a cost per chunk. */
async function* batches(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  let batch: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of pieces) {
    batch.push(piece);
    bytes += piece.byteLength;
    if (bytes < batchBytes) continue;
    yield joinChunks(batch);
    batch = [];
    bytes = 0;
  }
  if (bytes > 0) yield joinChunks(batch);
}
