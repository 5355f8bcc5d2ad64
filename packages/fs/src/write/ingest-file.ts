import fs from "node:fs";
import { basename } from "node:path";
import { type Digest, MoteError } from "@mote/core";
import type { BlobStore } from "../blobs/blob-store.js";
import { hasVerifiedStamp, mayBeStamped } from "../blobs/verified-stamp.js";
import { asynchronousCalls } from "../disk/file-calls.js";
import { errorCode, fileError } from "../disk/file-error.js";
import { CacheFolder } from "../folder/cache-folder.js";
import type { IngestKind } from "../processes/ingest-files.js";

const { O_RDWR, O_CREAT, O_EXCL, O_NOFOLLOW } = fs.constants;
/** Readable too, so that its bytes can be saved if the name is taken away. */
export const ingestFlags = O_RDWR | O_CREAT | O_EXCL | (O_NOFOLLOW ?? 0);
const copyBytes = 1024 * 1024;

/** Where a file was that was moved here, and how: times in milliseconds. */
export interface IngestOrigin {
  readonly path: string;
  readonly mode: number;
  readonly atimeMs: number;
  readonly mtimeMs: number;
}

/** A temporary file that becomes a blob, or nothing. */
export class IngestFile {
  readonly path: string;
  readonly fd: number;
  readonly #store: BlobStore;
  readonly #origin: IngestOrigin | undefined;
  #ended = false;

  /** @param origin where the file was before, if it was moved; it is stamped already */
  constructor(store: BlobStore, path: string, fd: number, origin?: IngestOrigin) {
    this.#store = store;
    this.path = path;
    this.fd = fd;
    this.#origin = origin;
  }

  static async create(store: BlobStore, digest: Digest, kind: IngestKind): Promise<IngestFile> {
    const { calls, parts } = store;
    const path = parts.newPath(digest, kind);
    const open = async () => {
      const fd = await calls.open(path, ingestFlags, CacheFolder.blobMode);
      // Whatever the umask is.
      if (store.folder.isShared) await calls.fchmod(fd, CacheFolder.blobMode);
      return new IngestFile(store, path, fd);
    };
    try {
      return await open();
    } catch (error) {
      if (errorCode(error) !== "ENOENT") throw fileError(error, "write", path);
    }
    // The folder was removed under the living cache.
    await store.establish();
    try {
      return await open();
    } catch (error) {
      throw fileError(error, "write", path);
    }
  }

  /** The last part of the path. */
  get name(): string {
    return basename(this.path);
  }

  /**
   * Data, then name. The caller has checked that the file's `size` bytes hash to the digest. Where a verified blob is there
   * already, that one stays; a damaged one is replaced.
   */
  async commit(digest: Digest, size: number): Promise<void> {
    let isThere: boolean;
    try {
      isThere = await this.#store.isVerified(digest);
    } catch (error) {
      await this.#giveUp();
      throw error;
    }
    if (isThere) await this.discard();
    else await this.replace(digest, size);
  }

  /** As `commit`, whatever is there. */
  async replace(digest: Digest, size: number): Promise<void> {
    const { calls, folder, syncs } = this.#store;
    const target = folder.blobPath(digest);
    try {
      if (this.#origin === undefined) await this.#store.stamping.stampNew(this.fd, digest, size);
      else await this.#assertStamped(digest);
      if (syncs.durability !== "visible") await syncs.data(this.fd, size);
      await this.#name(target, digest, size);
    } catch (error) {
      await this.#giveUp();
      throw fileError(error, "write", target);
    }
    this.#ended = true;
    await calls.close(this.fd);
    if (syncs.durability !== "synced") return;
    try {
      await syncs.names(folder.folderOf(digest));
    } catch (error) {
      throw fileError(error, "write", target);
    }
  }

  /** It was stamped before it was hashed: a write since has removed the stamp. */
  async #assertStamped(digest: Digest): Promise<void> {
    if (hasVerifiedStamp(await this.#store.calls.fstat(this.fd), digest)) return;
    throw new MoteError("MOTE_IO", `${this.#origin?.path} changed while it was moved into the cache; try again`);
  }

  /** What was moved here goes back to where it was: nobody else has its bytes. */
  async #giveUp(): Promise<void> {
    if (this.#origin === undefined || this.#ended) return await this.discard();
    const { path, mode, atimeMs, mtimeMs } = this.#origin;
    const { calls, logger } = this.#store;
    try {
      await calls.fchmod(this.fd, mode);
      if (mayBeStamped(await calls.fstat(this.fd))) await calls.futimes(this.fd, atimeMs / 1000, mtimeMs / 1000);
      await this.keepAs(path);
    } catch (error) {
      logger.error("what was to be moved into the cache could not be put back", { path, now: this.path, error });
      this.#ended = true;
      await calls.close(this.fd);
    }
  }

  /** Who looks whether its writer is still at it sees that it is. */
  renew(): void {
    if (this.#ended) return;
    try {
      fs.fchmodSync(this.fd, CacheFolder.blobMode);
    } catch (error) {
      this.#store.logger.debug("a part could not be renewed", { path: this.path, error });
    }
  }

  /** Leaves nothing behind. Harmless when repeated. */
  async discard(): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    const { calls, logger } = this.#store;
    await calls.close(this.fd);
    try {
      await calls.unlink(this.path);
    } catch (error) {
      if (errorCode(error) !== "ENOENT") logger.warn("a temporary file stays behind", { path: this.path, error });
    }
  }

  /** Closes the file and keeps it under another name. */
  async keepAs(path: string): Promise<void> {
    if (this.#ended) return;
    const { calls } = this.#store;
    try {
      await calls.rename(this.path, path);
    } catch (error) {
      // Somebody took it over, or the folder was removed: nothing is left to be kept, but what came from elsewhere.
      if (errorCode(error) === "ENOENT" && this.#origin === undefined) return await this.discard();
      throw fileError(error, "write", path);
    }
    this.#ended = true;
    await calls.close(this.fd);
  }

  async #name(target: string, digest: Digest, size: number): Promise<void> {
    const { calls } = this.#store;
    try {
      await calls.rename(this.path, target);
      return;
    } catch (error) {
      if (errorCode(error) === "EISDIR") return await this.#nameInPlaceOfFolder(target, digest);
      if (errorCode(error) !== "ENOENT") throw error;
    }
    await this.#store.establish();
    if ((await calls.lstat(this.path)) !== undefined) return await calls.rename(this.path, target);
    if (await this.#store.isVerified(digest)) return;
    const rescued = await IngestFile.create(this.#store, digest, "tmp");
    await copyContent(this.fd, rescued.fd, size);
    await rescued.commit(digest, size);
  }

  /** A folder is no blob, whoever put it there: it is damage like any other. */
  async #nameInPlaceOfFolder(target: string, digest: Digest): Promise<void> {
    const folder = await this.#store.calls.lstat(target);
    if (folder?.isDirectory()) await this.#store.setAside(digest, folder);
    await this.#store.calls.rename(this.path, target);
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
