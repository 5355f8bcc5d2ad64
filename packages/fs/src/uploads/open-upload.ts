import fs from "node:fs";
import {
  createDigester,
  type Digest,
  type Digester,
  digestAlgorithm,
  errorCode,
  hasCode,
  MoteError,
  type MoteInfo,
  mediaTypes,
} from "@mote/core";
import type { BlobStore } from "../blobs/blob-store.js";
import { asynchronousCalls } from "../disk/file-calls.js";
import { FileChunks } from "../disk/file-chunks.js";
import { fileError } from "../disk/file-error.js";
import { removeIfPossible } from "../disk/plain-file.js";
import { CacheFolder } from "../folder/cache-folder.js";
import { noOwner } from "../processes/ingest-files.js";
import { assertDigest } from "../write/blob-writer.js";
import { IngestFile } from "../write/ingest-file.js";
import type { UploadFile } from "./upload-files.js";

const { O_RDONLY, O_RDWR, O_NOFOLLOW, O_NONBLOCK } = fs.constants;
const safeFlags = (O_NOFOLLOW ?? 0) | (O_NONBLOCK ?? 0);
const sliceBytes = 1024 * 1024;

/** The hash of the first `offset` bytes of a file. */
export interface HashedPrefix {
  readonly digester: Digester;
  readonly offset: number;
  /** The file's inode, because another file may replace it. */
  readonly inode: number;
}

interface OpenedFile {
  readonly fd: number;
  readonly inode: number;
  offset: number;
  /** Undefined if the bytes have to be read again. */
  digester: Digester | undefined;
}

/** The file of an upload, open for its only writer. */
export class OpenUpload {
  readonly file: UploadFile;
  readonly #store: BlobStore;
  readonly #opened: OpenedFile;

  private constructor(store: BlobStore, file: UploadFile, opened: OpenedFile) {
    this.#store = store;
    this.file = file;
    this.#opened = opened;
  }

  /**
   * Opens an acquired file.
   * @param from.before the file before it was acquired: if its writer did not release it, its bytes are copied, because it may still write
   * @param from.known the hash of what this process wrote
   */
  static async open(
    store: BlobStore,
    file: UploadFile,
    from: { readonly before: UploadFile; readonly known: HashedPrefix | undefined },
  ): Promise<OpenUpload> {
    try {
      const opened = from.before.owner === noOwner ? reopened(file, from.known) : undefined;
      return new OpenUpload(store, file, opened ?? (await copied(store, file)));
    } catch (error) {
      throw fileError(error, "write", file.path);
    }
  }

  get offset(): number {
    return this.#opened.offset;
  }

  /** Writes and hashes chunks. Removes them all again if the disk is full or there are too many bytes. */
  async append(
    chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
    { maxBytes, signal }: { readonly maxBytes: number; readonly signal: AbortSignal | undefined },
  ): Promise<void> {
    const start = this.#opened.offset;
    try {
      for await (const chunk of chunks) {
        signal?.throwIfAborted();
        if (this.#opened.offset + chunk.byteLength > maxBytes) throw tooLarge(maxBytes);
        for (let from = 0; from < chunk.byteLength; from += sliceBytes) {
          await this.#write(chunk.subarray(from, from + sliceBytes));
        }
      }
    } catch (error) {
      this.#cut(hasCode(error, "MOTE_NO_SPACE", "MOTE_TOO_LARGE") ? start : this.#opened.offset);
      throw error;
    }
  }

  /** Hashes the bytes, as far as they are not hashed yet. @throws MOTE_DIGEST_MISMATCH */
  async verify(digest: Digest, signal: AbortSignal | undefined): Promise<void> {
    try {
      assertDigest(digest, await this.#hash(digest, signal));
    } catch (error) {
      throw fileError(error, "read", this.file.path);
    }
  }

  /** Stores verified bytes as a blob. The file is closed, and exists no longer, also after an error. */
  async commit(digest: Digest): Promise<MoteInfo> {
    const ingest = new IngestFile(this.#store, this.file.path, this.#opened.fd);
    try {
      fs.fchmodSync(this.#opened.fd, CacheFolder.blobMode);
      await ingest.commit(digest, this.#opened.offset);
      return { digest, size: this.#opened.offset, mediaType: mediaTypes.octetStream };
    } catch (error) {
      throw fileError(error, "write", this.file.path);
    } finally {
      await ingest.discard();
    }
  }

  /** Closes the file. Returns the hash of its bytes, as far as it is known. */
  close(): HashedPrefix | undefined {
    const { fd, digester, offset, inode } = this.#opened;
    fs.closeSync(fd);
    return digester && { digester, offset, inode };
  }

  async #write(slice: Uint8Array): Promise<void> {
    try {
      const writing = asynchronousCalls.write(this.#opened.fd, slice, this.#opened.offset);
      this.#opened.digester?.update(slice);
      await writing;
    } catch (error) {
      // It has the bytes that were not written.
      this.#opened.digester = undefined;
      throw fileError(error, "write", this.file.path);
    }
    this.#opened.offset += slice.byteLength;
  }

  #cut(offset: number): void {
    if (offset < this.#opened.offset) this.#opened.digester = undefined;
    this.#opened.offset = offset;
    try {
      fs.ftruncateSync(this.#opened.fd, offset);
    } catch (error) {
      this.#store.logger.warn("cannot truncate an upload", { path: this.file.path, error });
    }
  }

  async #hash(digest: Digest, signal: AbortSignal | undefined): Promise<Digest> {
    const algorithm = digestAlgorithm(digest);
    const known = this.file.algorithm === algorithm ? this.#opened.digester : undefined;
    // A digester that has given its digest takes no more bytes.
    this.#opened.digester = undefined;
    if (known !== undefined) return known.digest();
    const digester = createDigester(algorithm);
    await readAll(this.#store, this.#opened.fd, this.#opened.offset, (chunk) => {
      signal?.throwIfAborted();
      digester.update(chunk);
    });
    return digester.digest();
  }
}

/** Returns undefined if the file cannot be written where it is, because another user owns it. */
function reopened(file: UploadFile, known: HashedPrefix | undefined): OpenedFile | undefined {
  let fd: number;
  try {
    fd = fs.openSync(file.path, O_RDWR | safeFlags);
  } catch (error) {
    if (["EACCES", "EPERM"].includes(errorCode(error) ?? "")) return undefined;
    throw error;
  }
  const { size, ino, uid } = fs.fstatSync(fd);
  if (process.geteuid !== undefined && uid !== process.geteuid()) {
    fs.closeSync(fd);
    return undefined;
  }
  const isKnown = known?.inode === ino && known.offset === size;
  const digester = isKnown ? known.digester : size === 0 ? createDigester(file.algorithm) : undefined;
  return { fd, inode: ino, offset: size, digester };
}

/** Replaces the file by a copy, and hashes it. */
async function copied(store: BlobStore, file: UploadFile): Promise<OpenedFile> {
  const source = fs.openSync(file.path, O_RDONLY | safeFlags);
  const temporary = store.ingests.newPath("file", "tmp");
  let fd: number | undefined;
  try {
    const stats = fs.fstatSync(source);
    if (!stats.isFile()) throw new MoteError("MOTE_IO", `cannot continue the upload ${file.path}: not a regular file`);
    const digester = createDigester(file.algorithm);
    let offset = 0;
    const target = fs.openSync(temporary, O_RDWR | fs.constants.O_CREAT | fs.constants.O_EXCL, 0o644);
    fd = target;
    await readAll(store, source, stats.size, async (chunk) => {
      const writing = asynchronousCalls.write(target, chunk, offset);
      digester.update(chunk);
      await writing;
      offset += chunk.byteLength;
    });
    fs.renameSync(temporary, file.path);
    return { fd: target, inode: fs.fstatSync(target).ino, offset, digester };
  } catch (error) {
    if (fd !== undefined) fs.closeSync(fd);
    removeIfPossible(temporary);
    throw error;
  } finally {
    fs.closeSync(source);
  }
}

async function readAll(
  store: BlobStore,
  fd: number,
  size: number,
  use: (chunk: Uint8Array) => Promise<void> | void,
): Promise<void> {
  const chunks = new FileChunks(fd, { start: 0, end: size }, () => store.budget.chunkBytes, { reuse: true });
  try {
    for (let chunk = await chunks.next(); chunk !== undefined; chunk = await chunks.next()) await use(chunk);
  } finally {
    await chunks.stop();
  }
}

function tooLarge(maxBytes: number): MoteError {
  return new MoteError("MOTE_TOO_LARGE", `the upload has more than ${maxBytes} bytes`, {
    details: { limit: maxBytes },
  });
}
