import fs from "node:fs";
import { type Digest, MoteError } from "@mote/core";
import { type BlobStore, type OpenBlob, readFlags } from "../blobs/blob-store.js";
import { hasVerifiedStamp, verifiedStamp } from "../blobs/verified-stamp.js";
import { synchronousCalls } from "../disk/file-calls.js";
import { errorCode, fileError, isAbsent } from "../disk/file-error.js";
import { CacheFolder } from "../folder/cache-folder.js";
import { ingestFlags } from "./ingest-file.js";

/**
 * What is done most, to small blobs, where calls are synchronous: what BlobStore and BlobPart do, without a promise for each step, which
 * costs as much as the calls themselves. Whatever is out of the ordinary is left to them.
 */
export function canDoAtOnce(store: BlobStore): boolean {
  return store.calls === synchronousCalls;
}

/** Nothing to wait for, and no mode to set. */
export function canPlaceAtOnce(store: BlobStore): boolean {
  return canDoAtOnce(store) && store.syncs.durability === "visible" && !store.folder.isShared;
}

/** @returns undefined where there is no blob, or something unusual in its place: open it the long way */
export function openAtOnce(store: BlobStore, digest: Digest): OpenBlob | undefined {
  const path = store.folder.blobPath(digest);
  let fd: number;
  try {
    fd = fs.openSync(path, readFlags);
  } catch {
    return undefined;
  }
  try {
    const stats = fs.fstatSync(fd);
    if (stats.isFile()) return { fd, stats };
  } catch {
    // The long way tells.
  }
  fs.closeSync(fd);
  return undefined;
}

/**
 * Bytes that hash to the digest become its blob, unless a verified one is there; nothing is synced.
 * @returns false where a folder is missing, or one is in the blob's place: place it the long way
 */
export function placeAtOnce(store: BlobStore, digest: Digest, bytes: Uint8Array): boolean {
  const target = store.folder.blobPath(digest);
  const path = store.parts.newPath(digest, "tmp");
  let fd: number;
  try {
    if (isVerifiedAt(target, digest)) return true;
    fd = fs.openSync(path, ingestFlags, CacheFolder.blobMode);
  } catch (error) {
    if (isAbsent(error)) return false;
    throw fileError(error, "write", path);
  }
  try {
    synchronousCalls.write(fd, bytes, 0);
    stamp(fd, digest, bytes.byteLength);
    fs.renameSync(path, target);
    return true;
  } catch (error) {
    discard(store, path);
    if (isAbsent(error) || errorCode(error) === "EISDIR") return false;
    throw fileError(error, "write", target);
  } finally {
    fs.closeSync(fd);
  }
}

function isVerifiedAt(path: string, digest: Digest): boolean {
  // A short look before a longer one: most often nothing is there.
  if (!fs.existsSync(path)) return false;
  const stats = synchronousCalls.lstat(path);
  if (stats === undefined || stats instanceof Promise || !hasVerifiedStamp(stats, digest)) return false;
  return synchronousCalls.canRead(path) === true;
}

function stamp(fd: number, digest: Digest, size: number): void {
  const stats = fs.fstatSync(fd);
  if (stats.size !== size) {
    throw new MoteError("MOTE_IO", `${digest} has ${stats.size} bytes on disk, and ${size} were written`);
  }
  fs.futimesSync(fd, Date.now() / 1000, verifiedStamp(digest, size, stats.ino));
}

function discard({ logger }: BlobStore, path: string): void {
  try {
    fs.unlinkSync(path);
  } catch (error) {
    if (errorCode(error) !== "ENOENT") logger.warn("a temporary file stays behind", { path, error });
  }
}
