import {
  createDigester,
  type Digest,
  type Digester,
  digestAlgorithm,
  digestBytes,
  type Mote,
  MoteError,
  type MoteInfo,
  type MoteWriter,
} from "@mote/core";
import type { BlobStore } from "../blobs/blob-store.js";
import { ChunkHasher, chunkBytes } from "../blobs/chunk-digests.js";
import { asynchronousCalls } from "../disk/file-calls.js";
import { fileError } from "../disk/file-error.js";
import { smallBytes } from "../disk/small-buffers.js";
import { runSteps, type Steps, step } from "../disk/steps.js";
import { closedError } from "../processes/ingest-files.js";
import { IngestFile } from "./ingest-file.js";

/** Smaller writes are buffered first. */
const directBytes = 64 * 1024;
const noBytes = new Uint8Array();
const sliceBytes = 1024 * 1024;
/** A write of this length is a short call. */
const shortBytes = 16 * 1024;
/** Well below the silence after which a writer loses its lock. */
const renewEveryMs = 10_000;

export interface WriterStart {
  readonly signal?: AbortSignal | undefined;
  /** For a resumed write: the file with the first bytes, and their hash. */
  readonly file?: IngestFile | undefined;
  readonly digester?: Digester | undefined;
  readonly offset?: number | undefined;
}

/** Hashes while it writes to a temporary file, and names the file when size and digest match. */
export class BlobWriter implements MoteWriter {
  readonly #store: BlobStore;
  readonly #mote: Mote;
  readonly #signal: AbortSignal | undefined;
  /** Others may follow, or resume when this writer stops: so nothing is buffered. */
  readonly #isFollowed: boolean;
  #file: IngestFile | undefined;
  #digester: Digester | undefined;
  readonly #chunks: ChunkHasher | undefined;
  #buffer: Uint8Array = noBytes;
  #buffered = 0;
  /** Bytes in the file. */
  #written: number;
  #queue: Promise<void> | undefined;
  #error: { readonly error: unknown } | undefined;
  #closing: Promise<MoteInfo> | undefined;
  #ended = false;
  /** Whether `close` has finished. */
  #isClosed = false;

  constructor(store: BlobStore, mote: Mote, start: WriterStart) {
    this.#store = store;
    this.#mote = mote;
    this.#signal = start.signal;
    this.#file = start.file;
    this.#isFollowed = start.file !== undefined;
    this.#digester = start.digester;
    this.#written = start.offset ?? 0;
    this.#chunks = store.chunksOnWrite && this.#written === 0 ? new ChunkHasher() : undefined;
    store.budget.acquire();
  }

  get bytesWritten(): number {
    return this.#written + this.#buffered;
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.#assertOpen();
    if (!(bytes instanceof Uint8Array)) throw new TypeError("a writer accepts bytes as a Uint8Array");
    if (this.#queue === undefined && this.#file === undefined && this.#fits(bytes)) this.#gather(bytes);
    else await this.#inTurn(() => this.#append(bytes));
  }

  close(): Promise<MoteInfo> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async abort(): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    await this.#queue;
    this.#end();
    await this.#file?.discard();
  }

  [Symbol.asyncDispose](): Promise<void> {
    if (this.#isClosed) return Promise.resolve();
    return this.#closing === undefined ? this.abort() : this.#closing.then(ignore, ignore);
  }

  /** Called when size and digest match, before the blob gets its name. */
  protected naming(): Promise<void> | undefined {
    return undefined;
  }

  /** Called once the blob has its name. */
  protected committed(): Promise<void> | undefined {
    return undefined;
  }

  /** Called when the writer has ended, with or without a blob. */
  protected ended(): void {}

  /** Ends the writer, and keeps its bytes under another name. */
  protected async keepAs(path: string): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    await this.#queue;
    try {
      await this.#flush();
      if (this.#written > 0) await this.#file?.keepAs(path);
    } finally {
      this.#end();
      await this.#file?.discard();
    }
  }

  async #close(): Promise<MoteInfo> {
    this.#assertOpen();
    this.#ended = true;
    if (this.#queue !== undefined) await this.#queue;
    try {
      if (this.#error !== undefined) throw this.#error.error;
      this.#signal?.throwIfAborted();
      return await this.#commit();
    } finally {
      this.#end();
      if (this.#file !== undefined) await this.#file.discard();
      this.#isClosed = true;
    }
  }

  async #commit(): Promise<MoteInfo> {
    const { digest, mediaType, size } = this.#mote;
    const total = this.bytesWritten;
    if (size !== undefined && total !== size) throw wrongSize(this.#mote, total);
    if (this.#file === undefined) {
      const bytes = this.#buffer.subarray(0, this.#buffered);
      assertDigest(digest, digestBytes(bytes, digestAlgorithm(digest)));
      const noted = this.naming();
      if (noted !== undefined) await noted;
      const turn = this.#store.yields.yieldIfDue();
      if (turn !== undefined) await turn;
      const placing = runSteps(placeBytes(this.#store, digest, bytes));
      if (placing !== undefined) await placing;
    } else {
      await this.#flush();
      if (this.#digester !== undefined) assertDigest(digest, this.#digester.digest());
      await this.naming();
      const file = this.#file;
      const committing = () => file.commit(digest, total);
      await (this.#isFollowed && total > smallBytes ? renewWhile(file, committing) : committing());
      if (this.#chunks !== undefined && total > chunkBytes)
        this.#store.noteChunks(digest, await this.#chunks.digests());
    }
    const noted = this.committed();
    if (noted !== undefined) await noted;
    return { digest, mediaType, size: total };
  }

  async #append(bytes: Uint8Array): Promise<void> {
    if (this.#error !== undefined) throw this.#error.error;
    try {
      this.#signal?.throwIfAborted();
      const total = this.bytesWritten + bytes.byteLength;
      if (total > (this.#mote.size ?? Number.POSITIVE_INFINITY)) throw wrongSize(this.#mote, total);
      if (this.#file === undefined && this.#fits(bytes)) return this.#gather(bytes);
      this.#file ??= await IngestFile.create(this.#store, this.#mote.digest, "tmp");
      const isDirect = this.#isFollowed || bytes.byteLength >= directBytes;
      if (isDirect || this.#buffered + bytes.byteLength > smallBytes) await this.#flush();
      if (isDirect) await this.#put(bytes);
      else this.#gather(bytes);
    } catch (error) {
      this.#error = { error };
      // Free disk space now, not when the writer is disposed. Only after an abort is there something to suspend.
      if (!this.#signal?.aborted) await this.#file?.discard();
      throw error;
    }
  }

  #fits(bytes: Uint8Array): boolean {
    return this.#buffered + bytes.byteLength <= Math.min(smallBytes, this.#mote.size ?? smallBytes);
  }

  #gather(bytes: Uint8Array): void {
    const needed = this.#buffered + bytes.byteLength;
    if (needed > this.#buffer.byteLength) {
      const larger = this.#store.buffers.acquire(needed);
      larger.set(this.#buffer.subarray(0, this.#buffered));
      this.#releaseBuffer();
      this.#buffer = larger;
    }
    this.#buffer.set(bytes, this.#buffered);
    this.#buffered = needed;
  }

  async #flush(): Promise<void> {
    if (this.#buffered === 0) return;
    const bytes = this.#buffer.subarray(0, this.#buffered);
    this.#buffered = 0;
    await this.#put(bytes);
  }

  /** Hashes while the write is running. */
  async #put(bytes: Uint8Array): Promise<void> {
    if (this.#file === undefined) return;
    this.#digester ??= createDigester(digestAlgorithm(this.#mote.digest));
    for (let from = 0; from < bytes.byteLength; from += sliceBytes) {
      const slice = bytes.subarray(from, from + sliceBytes);
      const isShort = slice.byteLength <= shortBytes;
      const calls = isShort ? this.#store.calls : asynchronousCalls;
      const turn = isShort ? this.#store.yields.yieldIfDue() : undefined;
      if (turn !== undefined) await turn;
      const hashing = this.#chunks?.update(slice);
      const writing = calls.write(this.#file.fd, slice, this.#written);
      this.#digester.update(slice);
      try {
        await writing;
        await hashing;
      } catch (error) {
        throw fileError(error, "write", this.#file.path);
      }
      this.#written += slice.byteLength;
    }
  }

  /** Runs writes that were not awaited one after another. */
  #inTurn(work: () => Promise<void>): Promise<void> {
    const run = this.#queue === undefined ? work() : this.#queue.then(work);
    const settled: Promise<void> = run.then(
      () => this.#clearQueue(settled),
      () => this.#clearQueue(settled),
    );
    this.#queue = settled;
    return run;
  }

  #clearQueue(settled: Promise<void>): void {
    if (this.#queue === settled) this.#queue = undefined;
  }

  #releaseBuffer(): void {
    if (this.#buffer.byteLength > 0) this.#store.buffers.release(this.#buffer);
    this.#buffer = noBytes;
  }

  #end(): void {
    this.#releaseBuffer();
    this.#store.budget.release();
    this.ended();
  }

  #assertOpen(): void {
    if (this.#ended) throw closedError(`the writer of ${this.#mote.digest}`);
  }
}

function ignore(): void {}

/** Stores bytes that hash to the digest as its blob, unless a verified one exists. */
function* placeBytes(store: BlobStore, digest: Digest, bytes: Uint8Array): Steps<void> {
  if (yield* step(store.isVerified(digest))) return;
  const file = yield* step(IngestFile.create(store, digest, "tmp"));
  try {
    yield* step(store.calls.write(file.fd, bytes, 0));
  } catch (error) {
    yield* step(file.discard());
    throw fileError(error, "write", file.path);
  }
  yield* step(file.replace(digest, bytes.byteLength));
}

/** Renews the file during `work`, as committing a large blob may take long on a slow disk. */
export async function renewWhile(file: IngestFile, work: () => Promise<void>): Promise<void> {
  const renewal = setInterval(() => file.renew(), renewEveryMs);
  try {
    await work();
  } finally {
    clearInterval(renewal);
  }
}

export function wrongSize({ digest, size }: Mote, received: number): MoteError {
  return new MoteError(
    "MOTE_SIZE_MISMATCH",
    `size mismatch for ${digest}: expected ${size} bytes, got ${received}; fetch it again`,
    { details: { digest, expected: size, actual: received } },
  );
}

export function assertDigest(digest: Digest, actual: Digest): void {
  if (actual === digest) return;
  throw new MoteError("MOTE_DIGEST_MISMATCH", `digest mismatch: expected ${digest}, got ${actual}; fetch it again`, {
    details: { digest, actual },
  });
}
