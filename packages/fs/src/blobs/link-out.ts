import { randomBytes } from "node:crypto";
import fs, { type Stats } from "node:fs";
import { basename, dirname } from "node:path";
import { type Digest, errorCode, isAbsent, MoteError, makeFolders } from "@mote/core";
import { fileError } from "../disk/file-error.js";
import { runSteps, type Soon, type Steps, step } from "../disk/steps.js";
import type { BlobStore } from "./blob-store.js";
import { notedBytes } from "./linked-notes.js";
import type { OpenBlob } from "./open-blob.js";
import { isSameFile } from "./stamping.js";
import { hasVerifiedStamp, mayBeStamped } from "./verified-stamp.js";

const { COPYFILE_FICLONE_FORCE, COPYFILE_EXCL } = fs.constants;
const attempts = 20;

/** Links a blob to a file at another path: reflink, else hard link, else copy. */
export class LinkOut {
  readonly #store: BlobStore;
  readonly #prefix = randomBytes(4).toString("hex");
  #serial = 0;
  /** Devices of targets that cannot share extents with the cache. */
  readonly #withoutReflinks = new Set<number>();

  constructor(store: BlobStore) {
    this.#store = store;
  }

  /** @returns false if the blob does not exist */
  linkTo(digest: Digest, target: string, signal: AbortSignal | undefined): Soon<boolean> {
    return runSteps(this.#linkTo(digest, target, signal));
  }

  *#linkTo(digest: Digest, target: string, signal: AbortSignal | undefined): Steps<boolean> {
    // Bounded, though only a blob that is replaced repeatedly needs a second attempt.
    for (let attempt = 0; attempt < attempts; attempt++) {
      const blob = yield* step(this.#store.open(digest));
      if (blob === undefined) return false;
      try {
        const verified = yield* this.#verified(digest, blob, signal);
        if (verified !== undefined && (yield* this.#linkVerified(digest, { fd: blob.fd, stats: verified }, target)))
          return true;
      } catch (error) {
        throw fileError(error, "read", this.#store.folder.blobPath(digest));
      } finally {
        yield* step(this.#store.calls.close(blob.fd));
      }
    }
    throw new MoteError("MOTE_IO", `cannot link ${digest} to ${target}: it keeps changing; try again`);
  }

  /** Returns the file's state when it was verified: by a valid stamp or a hash. Undefined if it changed meanwhile. */
  *#verified(digest: Digest, blob: OpenBlob, signal: AbortSignal | undefined): Steps<Stats | undefined> {
    const { calls } = this.#store;
    const isTouchDue = this.#store.isTouchDue(blob);
    if (isTouchDue) yield* step(this.#store.touch(blob));
    const before = isTouchDue ? yield* step(calls.fstat(blob.fd)) : blob.stats;
    if (this.#store.isUnchanged(digest, { stats: before })) return before;
    const isVerified = yield* step(this.#store.rehash(digest, { fd: blob.fd, stats: before }, signal));
    if (!isVerified) return yield* step(this.#store.reject(digest, before));
    const after = yield* step(calls.fstat(blob.fd));
    return hasVerifiedStamp(after, digest) || isSameFile(before, after) ? after : undefined;
  }

  /** @returns false if the blob changed meanwhile */
  *#linkVerified(digest: Digest, verified: OpenBlob, target: string): Steps<boolean> {
    const { calls } = this.#store;
    const source = this.#store.folder.blobPath(digest);
    const temporary = `${dirname(target)}/.${basename(target).slice(0, 100)}.${this.#prefix}${this.#serial++}.mote`;
    try {
      const { shared, stats } = yield* this.#share(source, temporary, verified);
      const now = yield* step(calls.lstat(source));
      if (now === undefined || !isSameFile(now, stats)) {
        yield* step(calls.unlink(temporary));
        return false;
      }
      yield* step(calls.rename(temporary, target));
      if (!shared) return true;
      // Renaming one hard link over another of the same file does nothing (rename(2)). A look costs less than an error.
      if ((yield* step(calls.lstat(temporary))) !== undefined) yield* step(unlinkIfThere(this.#store, temporary));
      if (stats.size <= notedBytes) return true;
      const linked = yield* step(this.#store.statsNow(verified.fd));
      if (linked !== undefined && isSameFile(linked, stats)) this.#store.linkedNotes.save(digest, linked);
      return true;
    } catch (error) {
      yield* step(unlinkIfThere(this.#store, temporary));
      // Removed meanwhile: the next attempt sees that, or another blob.
      if (errorCode(error) === "ENOENT") return false;
      throw fileError(error, "write", target);
    }
  }

  /** @returns whether the new name is a hard link to the blob's file, and that file's stats from before */
  *#share(
    source: string,
    temporary: string,
    { fd, stats }: OpenBlob,
  ): Steps<{ readonly shared: boolean; readonly stats: Stats }> {
    const { calls, stamping } = this.#store;
    const folder = dirname(temporary);
    const device = (fs.statSync(folder, { throwIfNoEntry: false }) ?? madeFolder(folder)).dev;
    if (!this.#withoutReflinks.has(device)) {
      try {
        yield* step(fs.promises.copyFile(source, temporary, COPYFILE_FICLONE_FORCE | COPYFILE_EXCL));
        return { shared: false, stats };
      } catch (error) {
        if (errorCode(error) === "ENOSPC" || errorCode(error) === "ENOENT") throw error;
        this.#withoutReflinks.add(device);
      }
    }
    if (device === stats.dev) {
      // Before the file has the name: its user may write to it at once.
      if (mayBeStamped(stats)) yield* step(stamping.remove(fd));
      const unstamped = mayBeStamped(stats) ? yield* step(calls.fstat(fd)) : stats;
      try {
        yield* step(calls.link(source, temporary));
        return { shared: true, stats: unstamped };
      } catch (error) {
        if (!cannotLink.has(errorCode(error) ?? "")) throw error;
      }
      yield* step(fs.promises.copyFile(source, temporary, COPYFILE_EXCL));
      return { shared: false, stats: unstamped };
    }
    yield* step(fs.promises.copyFile(source, temporary, COPYFILE_EXCL));
    return { shared: false, stats };
  }
}

function madeFolder(path: string): Stats {
  makeFolders(path, { mkdirSync: fs.mkdirSync, statSync: fs.statSync, dirname });
  return fs.statSync(path);
}

/** Too many links, another device, a file system without links, or another user's file (protected_hardlinks, proc_sys_fs(5)). */
const cannotLink = new Set(["EMLINK", "EXDEV", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EPERM", "EACCES"]);

async function unlinkIfThere(store: BlobStore, path: string): Promise<void> {
  try {
    await store.calls.unlink(path);
  } catch (error) {
    if (!isAbsent(error)) store.logger.warn("cannot remove a temporary file", { path, error });
  }
}
