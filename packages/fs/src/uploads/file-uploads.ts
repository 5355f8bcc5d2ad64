import {
  type AppendUploadOptions,
  type BeginUploadOptions,
  BoundedMap,
  type Cancellable,
  type Digest,
  type ExpireUploadsOptions,
  hasCode,
  MoteError,
  type MoteInfo,
  parseDigest,
  parseRepositoryName,
  type Upload,
  type Uploads,
} from "@mote/core";
import type { BlobStore } from "../blobs/blob-store.js";
import { lstatIfThere } from "../disk/plain-file.js";
import type { FolderOpening } from "../tags/folder-opening.js";
import { type HashedPrefix, OpenUpload } from "./open-upload.js";
import { UploadFiles } from "./upload-files.js";

export interface UploadLimits {
  /** How long an upload that receives nothing is kept, in milliseconds. Default: one day. */
  readonly maxAgeMs?: number | undefined;
  /** The maximum number of unfinished uploads. Default 1000. */
  readonly maxUploads?: number | undefined;
  /** The maximum size of one upload in bytes. Default 1 TiB. */
  readonly maxBytes?: number | undefined;
}

const maxUploadAgeMs = 24 * 60 * 60 * 1000;
const maxUploads = 1000;
const maxUploadBytes = 1024 * 1024 ** 3;

/** Uploads as files of a cache folder, shared by any number of processes. */
export class FileUploads implements Uploads {
  readonly #store: BlobStore;
  readonly #files: UploadFiles;
  readonly #opening: FolderOpening;
  readonly #limits: Required<{ [Limit in keyof UploadLimits]: number }>;
  /** The hashes of what this process wrote, so that it need not be read again. */
  readonly #hashed: BoundedMap<string, HashedPrefix>;

  constructor(store: BlobStore, opening: FolderOpening, limits: UploadLimits = {}) {
    this.#store = store;
    this.#files = new UploadFiles(store.ingests);
    this.#opening = opening;
    this.#limits = {
      maxAgeMs: limits.maxAgeMs ?? maxUploadAgeMs,
      maxUploads: limits.maxUploads ?? maxUploads,
      maxBytes: limits.maxBytes ?? maxUploadBytes,
    };
    this.#hashed = new BoundedMap(this.#limits.maxUploads);
  }

  async begin(repository: string, options: BeginUploadOptions = {}): Promise<Upload> {
    checkName(repository);
    await this.#opening.toWrite(options);
    const limit = this.#limits.maxUploads;
    if (this.#files.list().length >= limit) this.cleanUp();
    if (this.#files.list().length >= limit) throw tooMany(limit);
    const { id } = await this.#files.create(repository, options.algorithm ?? "sha256");
    return { id, offset: 0 };
  }

  async status(repository: string, id: string, options?: Cancellable): Promise<Upload | undefined> {
    this.#opening.toRead(options);
    const file = this.#files.find(repository, id);
    const stats = file && lstatIfThere(file.path);
    return stats && { id, offset: stats.size };
  }

  async append(
    repository: string,
    id: string,
    chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
    { offset, signal }: AppendUploadOptions = {},
  ): Promise<Upload> {
    const upload = await this.#open(repository, id, signal);
    try {
      if (offset !== undefined && offset !== upload.offset) throw wrongOffset(id, upload.offset);
      await upload.append(chunks, { maxBytes: this.#limits.maxBytes, signal });
    } catch (error) {
      this.#release(upload);
      throw error;
    }
    if (this.#release(upload)) return { id, offset: upload.offset };
    throw new MoteError("MOTE_WRITER_GONE", `another request continued or cancelled the upload ${id}`);
  }

  async finish(repository: string, id: string, digest: Digest, options?: Cancellable): Promise<MoteInfo> {
    parseDigest(digest);
    const upload = await this.#open(repository, id, options?.signal);
    try {
      await upload.verify(digest, options?.signal);
    } catch (error) {
      this.#release(upload);
      // Best effort: it expires otherwise.
      if (hasCode(error, "MOTE_DIGEST_MISMATCH")) await this.cancel(repository, id).catch(() => false);
      throw error;
    }
    this.#hashed.delete(id);
    return await upload.commit(digest);
  }

  async cancel(repository: string, id: string, options?: Cancellable): Promise<boolean> {
    await this.#opening.toWrite(options);
    const file = this.#files.find(repository, id);
    if (file === undefined) return false;
    if (this.#files.isBusy(file)) throw inUse(id);
    this.#hashed.delete(id);
    return this.#files.remove(file);
  }

  async expire({ maxAgeMs = this.#limits.maxAgeMs, signal }: ExpireUploadsOptions = {}): Promise<number> {
    await this.#opening.toWrite({ signal });
    return this.#removeOld(maxAgeMs);
  }

  /** As `expire` with the default age, when the folder is known to be writable. */
  cleanUp(): void {
    this.#removeOld(this.#limits.maxAgeMs);
  }

  #removeOld(maxAgeMs: number): number {
    let removed = 0;
    for (const file of this.#files.list()) {
      const stats = lstatIfThere(file.path);
      // A time in the future counts as old: the clock was wrong.
      const isOld = stats !== undefined && Math.abs(Date.now() - stats.mtimeMs) > maxAgeMs;
      if (isOld && !this.#files.isBusy(file) && this.#files.remove(file)) removed++;
    }
    return removed;
  }

  async #open(repository: string, id: string, signal: AbortSignal | undefined): Promise<OpenUpload> {
    await this.#opening.toWrite({ signal });
    const before = this.#files.find(repository, id);
    if (before === undefined) throw unknownUpload(id);
    if (this.#files.isBusy(before)) throw inUse(id);
    const file = this.#files.acquire(before);
    if (file === undefined) throw inUse(id);
    try {
      return await OpenUpload.open(this.#store, file, { before, known: this.#hashed.get(id) });
    } catch (error) {
      this.#files.release(file);
      throw error;
    }
  }

  /** Returns whether the upload still belonged to this caller. */
  #release(upload: OpenUpload): boolean {
    const hashed = upload.close();
    const { id } = upload.file;
    if (hashed === undefined) this.#hashed.delete(id);
    else this.#hashed.set(id, hashed);
    return this.#files.release(upload.file);
  }
}

function checkName(repository: string): void {
  if (typeof repository === "string" && parseRepositoryName(repository) !== undefined) return;
  throw new MoteError("MOTE_INVALID_NAME", "cannot start an upload: the repository name is not valid");
}

function unknownUpload(id: string): MoteError {
  return new MoteError("MOTE_NOT_FOUND", "the upload does not exist; it may have ended or expired", {
    details: { id },
  });
}

function inUse(id: string): MoteError {
  return new MoteError("MOTE_IN_USE", `another request is writing to the upload ${id}`, { details: { id } });
}

function wrongOffset(id: string, offset: number): MoteError {
  return new MoteError("MOTE_OFFSET_MISMATCH", `the upload ${id} continues at byte ${offset}`, {
    details: { id, offset },
  });
}

function tooMany(limit: number): MoteError {
  return new MoteError("MOTE_TOO_LARGE", `there are already ${limit} unfinished uploads; finish or cancel some`, {
    details: { limit },
  });
}
