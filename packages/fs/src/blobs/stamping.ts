import type { Stats } from "node:fs";
import { type Digest, errorCode, type Logger, MoteError } from "@mote/core";
import type { FileCalls } from "../disk/file-calls.js";
import { runSteps, type Soon, type Steps, step } from "../disk/steps.js";
import type { OpenBlob } from "./open-blob.js";
import { hasVerifiedStamp, isPrivate, mayBeStamped, verifiedStamp, writable } from "./verified-stamp.js";

const ownerWrites = 0o200;
const permissions = 0o777;

/** Sets and removes the stamp that marks a blob as verified. */
export class Stamping {
  readonly #calls: FileCalls;
  readonly #logger: Logger;

  constructor(calls: FileCalls, logger: Logger) {
    this.#calls = calls;
    this.#logger = logger;
  }

  /** Stamps a file that this process wrote and hashed, before it gets the blob's name. It counts as just used. */
  *stampNew(fd: number, digest: Digest, size: number): Steps<void> {
    const stats = yield* step(this.#calls.fstat(fd));
    if (stats.size !== size) {
      throw new MoteError(
        "MOTE_IO",
        `cannot store ${digest}: ${size} bytes were written, but the file has ${stats.size}; check the disk`,
      );
    }
    try {
      yield* step(this.#calls.futimes(fd, Date.now() / 1000, verifiedStamp(digest, size, stats.ino)));
    } catch (error) {
      // Another user's file: it is hashed again whenever that matters.
      if (errorCode(error) !== "EPERM" && errorCode(error) !== "EROFS") throw error;
    }
  }

  /**
   * Runs `hash`, and keeps the stamp if the bytes match. A stamp set after the hash could hide a write in between: so it is set before, on
   * a file that is writable meanwhile, whose stamp does not count; a write removes it. The last step changes only the mode.
   */
  async around(digest: Digest, blob: OpenBlob, hash: () => Promise<boolean>): Promise<boolean> {
    const isDue = !hasVerifiedStamp(blob.stats, digest, blob.ownLinks) && isPrivate(blob.stats, blob.ownLinks);
    const before = isDue ? await this.#begin(digest, blob) : undefined;
    if (!(await hash())) return false;
    if (before !== undefined) await this.#end(digest, blob, before);
    return true;
  }

  async #begin(digest: Digest, { fd, stats }: OpenBlob): Promise<Stats | undefined> {
    try {
      const { atimeMs, mode, size } = await this.#calls.fstat(fd);
      if (size !== stats.size) return undefined;
      await this.#calls.fchmod(fd, (mode & permissions) | ownerWrites);
      await this.#calls.futimes(fd, atimeMs / 1000, verifiedStamp(digest, size, stats.ino));
      return await this.#calls.fstat(fd);
    } catch (error) {
      this.#logger.debug("cannot mark the blob as verified", { digest, error });
      return undefined;
    }
  }

  /** If it changed meanwhile, by a write, a new name, or another process that also verifies it, it stays unverified. */
  async #end(digest: Digest, { fd, ownLinks }: OpenBlob, before: Stats): Promise<void> {
    try {
      const now = await this.#calls.fstat(fd);
      const isUnchanged = isSameFile(before, now) && now.ctimeMs === before.ctimeMs && isPrivate(now, ownLinks);
      if (isUnchanged) await this.#calls.fchmod(fd, before.mode & permissions & ~writable);
    } catch (error) {
      this.#logger.debug("cannot mark the blob as verified", { digest, error });
    }
  }

  /** Updates the time of use. Keeps the modification time, and so the stamp, unless a user can reach the file by another name. */
  async touch({ fd, ownLinks }: OpenBlob): Promise<void> {
    const now = Date.now();
    try {
      const before = await this.#calls.fstat(fd);
      const isStamped = mayBeStamped(before);
      const keeps = !isStamped || ownLinks !== undefined || isPrivate(before);
      await this.#calls.futimes(fd, now / 1000, (keeps ? before.mtimeMs : now) / 1000);
      // It may have been changed by a name added in between.
      if (isStamped && keeps && ownLinks === undefined && !isPrivate(await this.#calls.fstat(fd)))
        await this.remove(fd);
    } catch (error) {
      this.#logger.debug("cannot renew the time of use", { error });
    }
  }

  /** Removes the stamp of a file that is about to be linked outside the cache: from then on a user can change it and set the time back. */
  remove(fd: number): Soon<void> {
    return runSteps(this.#remove(fd));
  }

  *#remove(fd: number): Steps<void> {
    const now = Date.now() / 1000;
    try {
      yield* step(this.#calls.futimes(fd, now, now));
    } catch (error) {
      // Another user's file: its stamp counts for that user only, and only that user can change the file.
      if (errorCode(error) !== "EPERM" && errorCode(error) !== "EROFS") throw error;
    }
  }
}

/** Returns whether a file was not written to between two stats, as far as size and modification time tell. */
export function isSameFile(one: Stats, other: Stats): boolean {
  return one.ino === other.ino && one.size === other.size && one.mtimeMs === other.mtimeMs;
}
