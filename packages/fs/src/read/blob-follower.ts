import fs from "node:fs";
import {
  createDigester,
  type Digest,
  type Digester,
  digestAlgorithm,
  type FollowOptions,
  MoteError,
  type MoteFollower,
} from "@mote/core";
import type { BlobStore } from "../blobs/blob-store.js";
import type { OpenBlob } from "../blobs/open-blob.js";
import { asynchronousCalls } from "../disk/file-calls.js";
import { FileChunks } from "../disk/file-chunks.js";
import { fileError } from "../disk/file-error.js";
import { closedError, type IngestPath } from "../processes/ingest-files.js";
import { readRanges } from "../processes/range-note.js";
import type { WriterLocks } from "../processes/writer-locks.js";

/** How often to poll without events: for a stopped writer, and where no watcher is available. */
const lookEveryMs = 200;
const firstLookMs = 5;

/** Reads an ingest file while it grows, and the rest from the blob that it becomes. */
export class BlobFollower implements MoteFollower {
  readonly #store: BlobStore;
  readonly #locks: WriterLocks;
  readonly #digest: Digest;
  readonly #start: number;
  readonly #verify: boolean;
  readonly #options: FollowOptions;
  readonly #signal: AbortSignal | undefined;
  readonly #file: OpenBlob;
  readonly #ingest: IngestPath;
  /** Up to where the file is known to be written without a gap. */
  #end = 0;
  /** Used again for each chunk, if the caller allows that. */
  #buffer = new Uint8Array();
  #reading: Promise<unknown> | undefined;
  #begun = false;
  #closing: Promise<void> | undefined;
  #wake: (() => void) | undefined;

  private constructor(
    store: BlobStore,
    locks: WriterLocks,
    digest: Digest,
    from: { readonly file: OpenBlob; readonly ingest: IngestPath },
    options: FollowOptions,
  ) {
    this.#store = store;
    this.#locks = locks;
    this.#digest = digest;
    this.#file = from.file;
    this.#ingest = from.ingest;
    this.#start = options.start ?? 0;
    this.#verify = options.verifyOnRead !== false && this.#start === 0;
    this.#options = options;
    this.#signal = options.signal;
    store.budget.acquire();
  }

  /** Returns undefined if no process writes the blob. */
  static async open(
    store: BlobStore,
    locks: WriterLocks,
    digest: Digest,
    options: FollowOptions,
  ): Promise<BlobFollower | undefined> {
    const file = locks.current(digest);
    if (file === undefined) return undefined;
    const opened = await store.openAt(file.path);
    return opened && new BlobFollower(store, locks, digest, { file: opened, ingest: file }, options);
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array, void, undefined> {
    if (this.#begun || this.#closing !== undefined) throw closedError(`the follower of ${this.#digest}, read once,`);
    this.#begun = true;
    return this.#chunks();
  }

  close(): Promise<void> {
    this.#closing ??= this.#release();
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async *#chunks(): AsyncGenerator<Uint8Array, void, undefined> {
    const digester = this.#verify ? createDigester(digestAlgorithm(this.#digest)) : undefined;
    const watch = this.#watch();
    let position = this.#start;
    let delayMs = firstLookMs;
    try {
      for (;;) {
        this.#assertOpen();
        const chunk = await this.#read(position);
        if (chunk !== undefined) {
          digester?.update(chunk);
          position += chunk.byteLength;
          delayMs = firstLookMs;
          yield chunk;
          continue;
        }
        // In this order: a writer that has just ended may have committed before.
        const isWritten = this.#locks.current(this.#digest)?.path === this.#ingest.path;
        const blob = await this.#committed();
        if (blob !== undefined) {
          yield* this.#rest(position, blob, digester !== undefined, (chunk) => digester?.update(chunk));
          break;
        }
        if (!isWritten) {
          await this.#options.onGone?.(async () => digester ?? this.#hashTo(position));
          throw this.#writerGone();
        }
        await this.#change(watch === undefined ? delayMs : lookEveryMs);
        delayMs = Math.min(lookEveryMs, 2 * delayMs);
      }
      if (digester !== undefined && digester.digest() !== this.#digest) {
        throw this.#store.corruptError(this.#digest);
      }
    } finally {
      watch?.close();
      await this.close();
    }
  }

  /** Returns the blob, unless it is a damaged one that is being rewritten. */
  async #committed(): Promise<OpenBlob | undefined> {
    const blob = await this.#store.open(this.#digest);
    if (blob === undefined || this.#isSameFile(blob)) return blob;
    let isVerified = false;
    try {
      isVerified =
        this.#store.isUnchanged(this.#digest, blob) ||
        (await this.#store.rehashWhole(this.#digest, blob, this.#signal));
    } finally {
      if (!isVerified) await this.#store.calls.close(blob.fd);
    }
    return isVerified ? blob : undefined;
  }

  #isSameFile({ stats }: OpenBlob): boolean {
    return stats.ino === this.#file.stats.ino;
  }

  /** Reads the bytes written between the last poll and the commit, from the blob, whichever process wrote it. */
  async *#rest(
    position: number,
    blob: OpenBlob,
    isHashed: boolean,
    update: (bytes: Uint8Array) => void,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const { size } = blob.stats;
    try {
      if (!isHashed && !this.#isSameFile(blob)) await this.#compare(position, blob);
      for (let at = position; at < size; ) {
        const chunk = this.#memory(size - at);
        const got = await asynchronousCalls.read(blob.fd, chunk, at);
        if (got === 0) throw this.#store.corruptError(this.#digest);
        const piece = chunk.subarray(0, got);
        update(piece);
        at += got;
        yield piece;
      }
    } catch (error) {
      throw fileError(error, "read", this.#store.folder.blobPath(this.#digest));
    } finally {
      await this.#store.calls.close(blob.fd);
    }
  }

  /** Compares the bytes up to `end`, which were passed on unverified, with another process's blob. */
  async #compare(end: number, blob: OpenBlob): Promise<void> {
    for (let at = this.#start; at < end; ) {
      const length = Math.min(this.#store.budget.chunkBytes, end - at);
      const read = async ({ fd }: OpenBlob) => {
        const chunk = new Uint8Array(length);
        return chunk.subarray(0, await asynchronousCalls.read(fd, chunk, at));
      };
      const [ours, theirs] = [await read(this.#file), await read(blob)];
      if (ours.byteLength > 0 && Buffer.compare(ours, theirs) === 0) at += ours.byteLength;
      else {
        throw new MoteError(
          "MOTE_DIGEST_MISMATCH",
          `the followed write of ${this.#digest} had wrong bytes; read the blob again from its beginning`,
          { details: { digest: this.#digest } },
        );
      }
    }
  }

  async #read(position: number): Promise<Uint8Array | undefined> {
    try {
      // Many chunks follow when a gap closes: there is nothing to look up for each.
      if (position >= this.#end) this.#end = await this.#writtenEnd();
      if (position >= this.#end) return undefined;
      const chunk = this.#memory(this.#end - position);
      const reading = asynchronousCalls.read(this.#file.fd, chunk, position);
      this.#reading = Promise.resolve(reading).catch(() => {});
      const got = await reading;
      return got === 0 ? undefined : chunk.subarray(0, got);
    } catch (error) {
      throw fileError(error, "read", this.#ingest.path);
    }
  }

  /** Returns memory for the next chunk, of `most` bytes or fewer. */
  #memory(most: number): Uint8Array {
    const { chunkBytes } = this.#store.budget;
    const length = Math.min(chunkBytes, most);
    if (!this.#options.reuse) return new Uint8Array(Buffer.allocUnsafeSlow(length).buffer);
    if (this.#buffer.byteLength < length) this.#buffer = new Uint8Array(Buffer.allocUnsafeSlow(chunkBytes).buffer);
    return this.#buffer.subarray(0, length);
  }

  /** Hashes the bytes up to `end` again. */
  #hashTo(end: number): Promise<Digester> {
    const hashing = this.#hash(end);
    this.#reading = hashing.catch(() => {});
    return hashing;
  }

  async #hash(end: number): Promise<Digester> {
    this.#assertOpen();
    const digester = createDigester(digestAlgorithm(this.#digest));
    const range = { start: this.#start, end };
    const chunks = new FileChunks(this.#file.fd, range, () => this.#store.budget.chunkBytes, { reuse: true });
    try {
      for (let chunk = await chunks.next(); chunk !== undefined; chunk = await chunks.next()) {
        this.#assertOpen();
        digester.update(chunk);
      }
      return digester;
    } catch (error) {
      throw fileError(error, "read", this.#ingest.path);
    } finally {
      await chunks.stop();
    }
  }

  /** Returns up to where the file is written without a gap. */
  async #writtenEnd(): Promise<number> {
    const { calls, ingests } = this.#store;
    if (this.#ingest.kind !== "ranges") return (await calls.fstat(this.#file.fd)).size;
    const [first] = readRanges(ingests, this.#ingest);
    return first?.start === 0 ? first.end : 0;
  }

  get #watchedPath(): string {
    return this.#ingest.kind === "ranges" ? this.#store.ingests.notePath(this.#ingest) : this.#ingest.path;
  }

  /** Returns undefined if the system has no watcher left: then it only polls. */
  #watch(): fs.FSWatcher | undefined {
    try {
      const watcher = fs.watch(this.#watchedPath, { persistent: false }, () => this.#wake?.());
      watcher.on("error", () => watcher.close());
      return watcher;
    } catch {
      return undefined;
    }
  }

  async #change(atMostMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, atMostMs);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
      this.#signal?.addEventListener("abort", this.#wake, { once: true });
    });
    if (this.#wake !== undefined) this.#signal?.removeEventListener("abort", this.#wake);
    this.#wake = undefined;
  }

  #writerGone(): MoteError {
    return new MoteError("MOTE_WRITER_GONE", `the process writing ${this.#digest} stopped; resume its download`);
  }

  #assertOpen(): void {
    this.#signal?.throwIfAborted();
    if (this.#closing !== undefined) throw closedError(`the follower of ${this.#digest}`);
  }

  async #release(): Promise<void> {
    this.#wake?.();
    this.#store.budget.release();
    await this.#reading;
    await this.#store.calls.close(this.#file.fd);
  }
}
