import fs from "node:fs";
import { basename } from "node:path";
import { type Digest, errorCode, MoteError } from "@mote/core";
import type { BlobStore } from "../blobs/blob-store.js";
import { hasVerifiedStamp, mayBeStamped } from "../blobs/verified-stamp.js";
import { asynchronousCalls } from "../disk/file-calls.js";
import { fileError } from "../disk/file-error.js";
import { runSteps, type Soon, type Steps, step } from "../disk/steps.js";
import { CacheFolder } from "../folder/cache-folder.js";
import type { IngestKind } from "../processes/ingest-files.js";

const { O_RDWR, O_CREAT, O_EXCL, O_NOFOLLOW } = fs.constants;
/** Also readable, so that its bytes can be saved if the name is removed. */
const ingestFlags = O_RDWR | O_CREAT | O_EXCL | (O_NOFOLLOW ?? 0);
const copyBytes = 1024 * 1024;

/** The path, mode and times (Unix milliseconds) of a file before it was moved here. */
export interface IngestOrigin {
  readonly path: string;
  readonly mode: number;
  readonly atimeMs: number;
  readonly mtimeMs: number;
}

/** A temporary file that becomes a blob or is removed. */
export class IngestFile {
  readonly path: string;
  readonly fd: number;
  readonly #store: BlobStore;
  readonly #origin: IngestOrigin | undefined;
  #ended = false;
  #isKept = false;

  /** @param origin where the file was before, if it was moved; it is already stamped */
  constructor(store: BlobStore, path: string, fd: number, origin?: IngestOrigin) {
    this.#store = store;
    this.path = path;
    this.fd = fd;
    this.#origin = origin;
  }

  static create(store: BlobStore, digest: Digest, kind: IngestKind): Soon<IngestFile> {
    return runSteps(createFile(store, digest, kind));
  }

  /** Whether `keepAs` has kept it under another name. */
  get isKept(): boolean {
    return this.#isKept;
  }

  /** The file name within the folder. */
  get name(): string {
    return basename(this.path);
  }

  /**
   * Syncs data, then name. The caller has checked that the file's `size` bytes hash to the digest. An existing verified blob
   * stays; a damaged one is replaced.
   */
  async commit(digest: Digest, size: number): Promise<void> {
    let isThere: boolean;
    try {
      isThere = await this.#store.isVerified(digest);
    } catch (error) {
      await this.#undo();
      throw error;
    }
    if (isThere) await this.discard();
    else await this.replace(digest, size);
  }

  /** As `commit`, but replaces any existing blob. */
  replace(digest: Digest, size: number): Soon<void> {
    return runSteps(this.#replace(digest, size));
  }

  *#replace(digest: Digest, size: number): Steps<void> {
    const { calls, folder, syncs, stamping } = this.#store;
    const target = folder.blobPath(digest);
    try {
      if (this.#origin === undefined) yield* stamping.stampNew(this.fd, digest, size);
      else yield* step(this.#assertStamped(digest));
      if (syncs.durability !== "visible") yield* step(syncs.data(this.fd, size));
      yield* step(this.#name(target, digest, size));
    } catch (error) {
      yield* step(this.#undo());
      throw fileError(error, "write", target);
    }
    this.#ended = true;
    yield* step(calls.close(this.fd));
    if (syncs.durability !== "synced") return;
    try {
      yield* step(syncs.names(folder.folderOf(digest)));
    } catch (error) {
      throw fileError(error, "write", target);
    }
  }

  /** The file was stamped before it was hashed: a write since then has removed the stamp. */
  async #assertStamped(digest: Digest): Promise<void> {
    if (hasVerifiedStamp(await this.#store.calls.fstat(this.fd), digest)) return;
    throw new MoteError("MOTE_IO", `cannot commit ${this.#origin?.path}: it changed while it was hashed; try again`);
  }

  /** Moves a file that was moved here back to its origin: no other file has its bytes. */
  async #undo(): Promise<void> {
    if (this.#origin === undefined || this.#ended) return await this.discard();
    const { path, mode, atimeMs, mtimeMs } = this.#origin;
    const { calls, logger } = this.#store;
    try {
      await calls.fchmod(this.fd, mode);
      if (mayBeStamped(await calls.fstat(this.fd))) await calls.futimes(this.fd, atimeMs / 1000, mtimeMs / 1000);
      await this.keepAs(path);
    } catch (error) {
      logger.error("cannot move a file back after a failed commit", { path, now: this.path, error });
      this.#ended = true;
      await calls.close(this.fd);
    }
  }

  /** Shows other processes that its writer is still active. */
  renew(): void {
    if (this.#ended) return;
    try {
      fs.fchmodSync(this.fd, CacheFolder.blobMode);
    } catch (error) {
      this.#store.logger.debug("cannot renew an ingest file", { path: this.path, error });
    }
  }

  /** Removes the file. Idempotent. */
  discard(): Soon<void> {
    return this.#ended ? undefined : runSteps(this.#discard());
  }

  *#discard(): Steps<void> {
    this.#ended = true;
    const { calls, logger } = this.#store;
    yield* step(calls.close(this.fd));
    try {
      yield* step(calls.unlink(this.path));
    } catch (error) {
      if (errorCode(error) !== "ENOENT") logger.warn("cannot remove a temporary file", { path: this.path, error });
    }
  }

  /** Closes the file and keeps it under another name. */
  async keepAs(path: string): Promise<void> {
    if (this.#ended) return;
    const { calls } = this.#store;
    try {
      await calls.rename(this.path, path);
    } catch (error) {
      // Another process resumed it, or the folder was removed: nothing is left to keep, except a file that was moved here.
      if (errorCode(error) === "ENOENT" && this.#origin === undefined) return await this.discard();
      throw fileError(error, "write", path);
    }
    this.#ended = true;
    this.#isKept = true;
    await calls.close(this.fd);
  }

  #name(target: string, digest: Digest, size: number): Soon<void> {
    const nameAnyway = async (error: unknown) => {
      if (errorCode(error) === "EISDIR") await this.#nameInPlaceOfFolder(target, digest);
      else if (errorCode(error) === "ENOENT") await this.#nameInNewFolder(target, digest, size);
      else throw error;
    };
    try {
      const naming = this.#store.calls.rename(this.path, target);
      return naming instanceof Promise ? naming.catch(nameAnyway) : naming;
    } catch (error) {
      return nameAnyway(error);
    }
  }

  async #nameInNewFolder(target: string, digest: Digest, size: number): Promise<void> {
    const { calls } = this.#store;
    await this.#store.establish();
    if ((await calls.lstat(this.path)) !== undefined) return await calls.rename(this.path, target);
    if (await this.#store.isVerified(digest)) return;
    const rescued = await IngestFile.create(this.#store, digest, "tmp");
    await copyContent(this.fd, rescued.fd, size);
    await rescued.commit(digest, size);
  }

  /** Quarantines a folder in place of the blob like any damaged blob. */
  async #nameInPlaceOfFolder(target: string, digest: Digest): Promise<void> {
    const folder = await this.#store.calls.lstat(target);
    if (folder?.isDirectory()) await this.#store.quarantine(digest, folder);
    await this.#store.calls.rename(this.path, target);
  }
}

function* createFile(store: BlobStore, digest: Digest, kind: IngestKind): Steps<IngestFile> {
  const { calls, folder } = store;
  const path = store.ingests.newPath(digest, kind);
  for (let isAgain = false; ; isAgain = true) {
    try {
      const fd = yield* step(calls.open(path, ingestFlags, CacheFolder.blobMode));
      // Regardless of the umask.
      if (folder.isShared) yield* step(calls.fchmod(fd, CacheFolder.blobMode));
      return new IngestFile(store, path, fd);
    } catch (error) {
      if (isAgain || errorCode(error) !== "ENOENT") throw fileError(error, "write", path);
    }
    // The folder was removed while the cache was in use.
    yield* step(store.establish());
  }
}

async function copyContent(from: number, to: number, size: number): Promise<void> {
  const buffer = new Uint8Array(Math.min(copyBytes, size));
  for (let position = 0; position < size; ) {
    const got = await asynchronousCalls.read(from, buffer.subarray(0, Math.min(copyBytes, size - position)), position);
    if (got === 0) throw new Error("the temporary file was cut short while it was written");
    await asynchronousCalls.write(to, buffer.subarray(0, got), position);
    position += got;
  }
}
