import {
  type ByteRange,
  ByteRanges,
  createDigester,
  type Digester,
  digestAlgorithm,
  type Mote,
  MoteError,
  type MoteInfo,
  type RangedWriter,
} from "@mote/core";
import type { BlobStore } from "../blobs/blob-store.js";
import { ChunkHasher, chunkBytes } from "../blobs/chunk-digests.js";
import { asynchronousCalls } from "../disk/file-calls.js";
import { FileChunks } from "../disk/file-chunks.js";
import { fileError } from "../disk/file-error.js";
import { closedError } from "../processes/ingest-files.js";
import type { RangeNote } from "../processes/range-note.js";
import { assertDigest, renewWhile, wrongSize } from "./blob-writer.js";
import type { IngestFile } from "./ingest-file.js";
import type { WriterOwner } from "./resumable-writer.js";

const sliceBytes = 1024 * 1024;

export interface RangedStart {
  readonly file: IngestFile;
  readonly note: RangeNote;
  /** The ranges that `note` records. */
  readonly written: ByteRanges;
  readonly signal: AbortSignal | undefined;
  readonly owner: WriterOwner;
  readonly onEnd: () => void;
}

/** Writes the ranges of a blob at their offsets, and hashes in order behind them: bytes in order at once, others from the file. */
export class RangedBlobWriter implements RangedWriter {
  readonly #store: BlobStore;
  readonly #mote: Mote & { readonly size: number };
  readonly #start: RangedStart;
  readonly #digester: Digester;
  readonly #chunks: ChunkHasher | undefined;
  /** Bytes of writes that have begun. */
  readonly #begun = new ByteRanges();
  readonly #running = new Set<Promise<void>>();
  #stored: readonly ByteRange[] = [];
  #offset = 0;
  #appended = 0;
  /** The number of bytes from the first one on that are hashed, or being hashed. */
  #hashed = 0;
  #hashing: Promise<void> | undefined;
  #chunkHashing: Promise<void> = Promise.resolve();
  #error: { readonly error: unknown } | undefined;
  #closing: Promise<MoteInfo> | undefined;
  #ended = false;
  #isClosed = false;

  constructor(store: BlobStore, mote: Mote & { readonly size: number }, start: RangedStart) {
    this.#store = store;
    this.#mote = mote;
    this.#start = start;
    this.#digester = createDigester(digestAlgorithm(mote.digest));
    this.#chunks = store.chunksOnWrite ? new ChunkHasher() : undefined;
    store.budget.acquire();
  }

  get stored(): readonly ByteRange[] {
    return this.#stored;
  }

  get offset(): number {
    return this.#offset;
  }

  get bytesWritten(): number {
    return this.#start.written.bytes;
  }

  /** Declares that what was written so far comes from an earlier writer. */
  markStored(): void {
    this.#stored = this.#start.written.ranges;
    this.#offset = this.#start.written.prefixEnd;
    this.#appended = this.#offset;
  }

  async write(bytes: Uint8Array): Promise<void> {
    const at = this.#appended;
    this.#appended += bytes.byteLength;
    await this.writeAt(bytes, at);
  }

  async writeAt(bytes: Uint8Array, offset: number): Promise<void> {
    this.#assertOpen();
    if (!(bytes instanceof Uint8Array)) throw new TypeError("a writer accepts bytes as a Uint8Array");
    const end = offset + bytes.byteLength;
    const missing = this.#begun.missing(offset, end);
    this.#begun.add(offset, end);
    const work = this.#write(bytes, offset, missing);
    const settled = work.catch(() => {}).finally(() => this.#running.delete(settled));
    this.#running.add(settled);
    await work;
  }

  close(): Promise<MoteInfo> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async abort(): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    await this.#settled();
    await this.#discard();
    this.#end();
  }

  async suspend(): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    const { file, note, written } = this.#start;
    await this.#settled();
    try {
      if (written.bytes > 0 && this.#error === undefined) {
        await note.flush();
        await file.keepAs(this.#store.ingests.abandonedPath(file.path));
        await note.close();
      }
    } finally {
      await this.#discard();
      this.#end();
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    if (this.#isClosed) return Promise.resolve();
    const ignore = () => {};
    return this.#closing === undefined ? this.abort() : this.#closing.then(ignore, ignore);
  }

  async #write(bytes: Uint8Array, offset: number, missing: readonly ByteRange[]): Promise<void> {
    if (this.#error !== undefined) throw this.#error.error;
    try {
      this.#start.signal?.throwIfAborted();
      const end = offset + bytes.byteLength;
      if (end > this.#mote.size) throw wrongSize(this.#mote, end);
      for (const range of missing) {
        for (let at = range.start; at < range.end; at += sliceBytes) {
          await this.#put(bytes.subarray(at - offset, Math.min(range.end, at + sliceBytes) - offset), at);
        }
      }
    } catch (error) {
      // After an abort, there is something to suspend. The file is closed when no other write uses it.
      if (!this.#start.signal?.aborted) this.#error ??= { error };
      throw error;
    }
  }

  /** Hashes bytes that are next in order while the write is running. */
  async #put(slice: Uint8Array, at: number): Promise<void> {
    const { file, note, written } = this.#start;
    const writing = asynchronousCalls.write(file.fd, slice, at);
    const isNext = at === this.#hashed && this.#hashing === undefined;
    const hashing = isNext ? this.#hash(slice) : undefined;
    try {
      await writing;
    } catch (error) {
      throw fileError(error, "write", file.path);
    }
    await hashing;
    written.add(at, at + slice.byteLength);
    this.#hashing ??= this.#catchUp();
    await note.added(slice.byteLength);
  }

  #hash(bytes: Uint8Array): Promise<void> | undefined {
    this.#hashed += bytes.byteLength;
    this.#digester.update(bytes);
    const chunks = this.#chunks;
    if (chunks === undefined) return undefined;
    this.#chunkHashing = this.#chunkHashing.then(() => chunks.update(bytes));
    return this.#chunkHashing;
  }

  /** Hashes the written bytes that follow the hashed ones; undefined if there are none. */
  #catchUp(): Promise<void> | undefined {
    if (this.#hashed >= this.#start.written.prefixEnd) return undefined;
    return this.#hashWritten()
      .catch((error: unknown) => {
        this.#error ??= { error };
      })
      .finally(() => {
        this.#hashing = undefined;
      });
  }

  async #hashWritten(): Promise<void> {
    const { file, written } = this.#start;
    while (this.#hashed < written.prefixEnd && this.#error === undefined) {
      const range = { start: this.#hashed, end: written.prefixEnd };
      const chunks = new FileChunks(file.fd, range, () => this.#store.budget.chunkBytes, { reuse: true });
      try {
        for (let chunk = await chunks.next(); chunk !== undefined; chunk = await chunks.next()) {
          await this.#hash(chunk);
          if (this.#error !== undefined) return;
        }
      } catch (error) {
        throw fileError(error, "read", file.path);
      } finally {
        await chunks.stop();
      }
      if (this.#hashed < range.end) {
        throw new MoteError("MOTE_IO", `${file.path} was truncated while it was written; try again`);
      }
    }
  }

  async #close(): Promise<MoteInfo> {
    this.#assertOpen();
    this.#ended = true;
    // Where the first bytes came last, nearly all are hashed now.
    await renewWhile(this.#start.file, async () => {
      await this.#settled();
      await this.#catchUp();
    });
    try {
      return await this.#commit();
    } finally {
      await this.#discard();
      this.#end();
      this.#isClosed = true;
    }
  }

  async #commit(): Promise<MoteInfo> {
    const { digest, mediaType, size } = this.#mote;
    const { file, signal, written, owner } = this.#start;
    if (this.#error !== undefined) throw this.#error.error;
    signal?.throwIfAborted();
    if (written.prefixEnd !== size) throw wrongSize(this.#mote, written.bytes);
    assertDigest(digest, this.#digester.digest());
    await owner.naming(this.#mote);
    await renewWhile(file, () => file.commit(digest, size));
    if (this.#chunks !== undefined && size > chunkBytes) this.#store.noteChunks(digest, await this.#chunks.digests());
    await owner.committed(this.#mote);
    return { digest, mediaType, size };
  }

  /** Waits for the writes that have begun, and for the hashing behind them. */
  async #settled(): Promise<void> {
    await Promise.all(this.#running);
    await this.#hashing;
  }

  /** Removes what is left; nothing after a commit or a suspension, except the note of a commit. */
  async #discard(): Promise<void> {
    const { file, note } = this.#start;
    const isKept = file.isKept;
    await file.discard();
    if (isKept) await note.close();
    else await note.remove();
  }

  #end(): void {
    this.#store.budget.release();
    this.#start.onEnd();
    this.#start.owner.ended(this);
  }

  #assertOpen(): void {
    if (this.#ended) throw closedError(`the writer of ${this.#mote.digest}`);
  }
}
