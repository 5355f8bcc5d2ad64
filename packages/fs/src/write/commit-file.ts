import fs, { type Stats } from "node:fs";
import {
  type CommitMode,
  createDigester,
  digestAlgorithm,
  errorCode,
  isAbsent,
  type Mote,
  MoteError,
} from "@mote/core";
import type { BlobStore } from "../blobs/blob-store.js";
import { mayBeStamped, verifiedStamp } from "../blobs/verified-stamp.js";
import { FileChunks } from "../disk/file-chunks.js";
import { fileError } from "../disk/file-error.js";
import { CacheFolder } from "../folder/cache-folder.js";
import { assertDigest, BlobWriter } from "./blob-writer.js";
import { IngestFile } from "./ingest-file.js";

const { O_RDONLY, O_RDWR, O_NONBLOCK } = fs.constants;

/** Moves or copies a finished file into the store. */
export async function commitFile(
  store: BlobStore,
  source: string,
  mote: Mote,
  options: { readonly mode: CommitMode; readonly signal: AbortSignal | undefined },
): Promise<void> {
  const { digest } = mote;
  if (options.mode === "copy") {
    if (await store.isVerified(digest)) return;
    return await copyIn(store, source, mote, options.signal);
  }
  if (isSamePath(source, store.folder.blobPath(digest))) return;
  if (await renameIn(store, source, mote, options.signal)) return;
  await copyIn(store, source, mote, options.signal);
  try {
    fs.unlinkSync(source);
  } catch (error) {
    throw fileError(error, "write", source);
  }
}

async function copyIn(store: BlobStore, source: string, mote: Mote, signal: AbortSignal | undefined): Promise<void> {
  const fd = openSource(source, O_RDONLY, mote);
  try {
    const { size } = checkSource(fs.fstatSync(fd), source, mote);
    await using writer = new BlobWriter(store, { ...mote, size }, { signal });
    const chunks = new FileChunks(fd, { start: 0, end: size }, () => store.budget.chunkBytes, { reuse: true });
    try {
      for (let chunk = await chunks.next(); chunk !== undefined; chunk = await chunks.next()) await writer.write(chunk);
    } finally {
      await chunks.stop();
    }
    await writer.close();
  } catch (error) {
    throw fileError(error, "read", source);
  } finally {
    fs.closeSync(fd);
  }
}

/** @returns false if the file must be copied instead: another device or owner, a link, or a file with other names */
async function renameIn(
  store: BlobStore,
  source: string,
  mote: Mote,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const named = lstatSource(source, mote);
  if (!named.isFile() || named.nlink > 1) return false;
  let fd: number;
  try {
    fd = openSource(source, O_RDWR, mote);
  } catch {
    return false;
  }
  // If this process dies, no other file has these bytes: by this name they can be resumed.
  const path = store.ingests.newPath(mote.digest, "part");
  let isOpen = true;
  let times: Pick<Stats, "atimeMs" | "mtimeMs"> | undefined;
  try {
    const stats = checkSource(fs.fstatSync(fd), source, mote);
    if (stats.ino !== named.ino || !stampBeforeHash(fd, stats, mote)) return false;
    times = stats;
    assertDigest(mote.digest, await hashOf(store, fd, stats, mote, signal));
    const after = fs.fstatSync(fd);
    const isUnchanged = after.nlink === 1 && after.size === stats.size && mayBeStamped(after);
    if (!isUnchanged) return false;
    try {
      fs.fchmodSync(fd, CacheFolder.blobMode);
      fs.renameSync(source, path);
    } catch (error) {
      if (errorCode(error) === "ENOSPC") throw error;
      return false;
    }
    isOpen = false;
    const origin = { path: source, mode: stats.mode & 0o7777, atimeMs: stats.atimeMs, mtimeMs: stats.mtimeMs };
    await new IngestFile(store, path, fd, origin).commit(mote.digest, stats.size);
    return true;
  } catch (error) {
    throw fileError(error, "write", source);
  } finally {
    if (isOpen) {
      if (times !== undefined) restoreTimes(fd, times);
      fs.closeSync(fd);
    }
  }
}

/** Stamps before hashing, so that a later write removes the stamp. @returns whether it could be set */
function stampBeforeHash(fd: number, { size, ino }: Stats, { digest }: Mote): boolean {
  try {
    fs.futimesSync(fd, Date.now() / 1000, verifiedStamp(digest, size, ino));
    return true;
  } catch (error) {
    // Another user's file is copied.
    if (errorCode(error) === "EPERM") return false;
    throw error;
  }
}

/** Restores the times of a file that the caller keeps, unless it was written to. */
function restoreTimes(fd: number, { atimeMs, mtimeMs }: Pick<Stats, "atimeMs" | "mtimeMs">): void {
  try {
    if (mayBeStamped(fs.fstatSync(fd))) fs.futimesSync(fd, atimeMs / 1000, mtimeMs / 1000);
  } catch {
    // Best effort.
  }
}

async function hashOf(store: BlobStore, fd: number, stats: Stats, mote: Mote, signal: AbortSignal | undefined) {
  const digester = createDigester(digestAlgorithm(mote.digest));
  const chunks = new FileChunks(fd, { start: 0, end: stats.size }, () => store.budget.chunkBytes, { reuse: true });
  try {
    for (let chunk = await chunks.next(); chunk !== undefined; chunk = await chunks.next()) {
      signal?.throwIfAborted();
      digester.update(chunk);
    }
  } finally {
    await chunks.stop();
  }
  return digester.digest();
}

function lstatSource(source: string, mote: Mote): Stats {
  try {
    const stats = fs.lstatSync(source, { throwIfNoEntry: false });
    if (stats !== undefined) return stats;
  } catch (error) {
    throw sourceError(error, source, mote);
  }
  throw absentSource(source, mote);
}

function openSource(source: string, flags: number, mote: Mote): number {
  try {
    return fs.openSync(source, flags | (O_NONBLOCK ?? 0));
  } catch (error) {
    throw sourceError(error, source, mote);
  }
}

function checkSource(stats: Stats, source: string, mote: Mote): Stats {
  if (!stats.isFile()) throw new MoteError("MOTE_IO", `cannot commit ${source}: not a regular file`);
  if (mote.size === undefined || mote.size === stats.size) return stats;
  throw new MoteError(
    "MOTE_SIZE_MISMATCH",
    `cannot commit ${source} as ${mote.digest}: expected ${mote.size} bytes, found ${stats.size}`,
    {
      details: { digest: mote.digest, expected: mote.size, actual: stats.size, source },
    },
  );
}

function sourceError(error: unknown, source: string, mote: Mote): unknown {
  return isAbsent(error) ? absentSource(source, mote, error) : fileError(error, "read", source);
}

function absentSource(source: string, mote: Mote, cause?: unknown): MoteError {
  return new MoteError("MOTE_NOT_FOUND", `cannot commit ${source} as ${mote.digest}: the file does not exist`, {
    cause,
  });
}

function isSamePath(one: string, other: string): boolean {
  try {
    return fs.realpathSync(one) === fs.realpathSync(other);
  } catch {
    return false;
  }
}
