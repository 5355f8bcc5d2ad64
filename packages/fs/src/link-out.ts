import { randomBytes } from "node:crypto";
import fs, { type Stats } from "node:fs";
import { basename, dirname } from "node:path";
import { type Digest, MoteError } from "@mote/core";
import { type BlobStore, corruptError } from "./blob-store.js";
import { faultCode, fileFault } from "./file-fault.js";
import { makeFolders } from "./make-folders.js";
import { hasVerifiedStamp } from "./verified-stamp.js";

const { COPYFILE_FICLONE_FORCE, COPYFILE_EXCL } = fs.constants;
const attempts = 20;

/** Gives a blob away as a file at another path: reflink, else hard link, else copy. */
export class LinkOut {
  readonly #store: BlobStore;
  readonly #prefix = randomBytes(4).toString("hex");
  #serial = 0;
  /** Devices of targets that have refused to share extents with the cache. */
  readonly #withoutReflinks = new Set<number>();

  constructor(store: BlobStore) {
    this.#store = store;
  }

  /** @returns false where the blob is not here */
  async linkTo(digest: Digest, target: string, signal: AbortSignal | undefined): Promise<boolean> {
    // Bounded, though only a blob that is replaced again and again comes round twice.
    for (let attempt = 0; attempt < attempts; attempt++) {
      const verified = await this.#verified(digest, signal);
      if (verified === undefined) return false;
      if (await this.#place(digest, verified, target)) return true;
    }
    throw new MoteError("MOTE_IO", `${digest} changed again and again while it was linked to ${target}; try again`);
  }

  /** What is under the blob's name, after a hash where its stamp does not hold. */
  async #verified(digest: Digest, signal: AbortSignal | undefined): Promise<Stats | undefined> {
    const blob = await this.#store.open(digest);
    if (blob === undefined) return undefined;
    try {
      await this.#store.touch(blob);
      if (hasVerifiedStamp(blob.stats, digest)) return blob.stats;
      if (await this.#store.isSound(digest, blob, signal)) return await this.#store.calls.fstat(blob.fd);
      await this.#store.setAside(digest, blob.stats);
      throw corruptError(digest, this.#store.folder.blobPath(digest));
    } finally {
      await this.#store.calls.close(blob.fd);
    }
  }

  /** @returns false where the blob changed while it was placed */
  async #place(digest: Digest, verified: Stats, target: string): Promise<boolean> {
    const { calls } = this.#store;
    const source = this.#store.folder.blobPath(digest);
    const temporary = `${dirname(target)}/.${basename(target).slice(0, 100)}.${this.#prefix}${this.#serial++}.mote`;
    try {
      const shared = await this.#share(source, temporary, verified);
      const now = await calls.lstat(source);
      const unchanged =
        now !== undefined && now.ino === verified.ino && now.size === verified.size && now.mtimeMs === verified.mtimeMs;
      if (!unchanged) {
        await calls.unlink(temporary);
        return false;
      }
      await calls.rename(temporary, target);
      // Renaming one hard link over another of the same file does nothing (rename(2)).
      if (shared) await unlinkIfThere(this.#store, temporary);
      return true;
    } catch (error) {
      await unlinkIfThere(this.#store, temporary);
      // Removed meanwhile: the next look finds that, or what came in its place.
      if (faultCode(error) === "ENOENT") return false;
      throw fileFault(error, "write", target);
    }
  }

  /** @returns whether the new name is another name of the blob's own file */
  async #share(source: string, temporary: string, verified: Stats): Promise<boolean> {
    const folder = dirname(temporary);
    if (!fs.existsSync(folder)) makeFolders(folder);
    const device = fs.statSync(folder).dev;
    if (!this.#withoutReflinks.has(device)) {
      try {
        await fs.promises.copyFile(source, temporary, COPYFILE_FICLONE_FORCE | COPYFILE_EXCL);
        return false;
      } catch (error) {
        if (faultCode(error) === "ENOSPC" || faultCode(error) === "ENOENT") throw error;
        this.#withoutReflinks.add(device);
      }
    }
    if (device === verified.dev) {
      try {
        await this.#store.calls.link(source, temporary);
        return true;
      } catch (error) {
        if (!cannotLink.has(faultCode(error) ?? "")) throw error;
      }
    }
    await fs.promises.copyFile(source, temporary, COPYFILE_EXCL);
    return false;
  }
}

/** Too many links, another device, a file system without links, or another user's file (protected_hardlinks, proc_sys_fs(5)). */
const cannotLink = new Set(["EMLINK", "EXDEV", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EPERM", "EACCES"]);

async function unlinkIfThere(store: BlobStore, path: string): Promise<void> {
  try {
    await store.calls.unlink(path);
  } catch (error) {
    if (faultCode(error) !== "ENOENT" && faultCode(error) !== "ENOTDIR") {
      store.logger.warn("a temporary file stays behind", { path, error });
    }
  }
}
