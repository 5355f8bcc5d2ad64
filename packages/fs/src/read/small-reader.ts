import { type Digest, digestAlgorithm, digestBytes, type MoteInfo, type MoteReader, mediaTypes } from "@mote/core";
import { type BlobStore, corruptError, isCorrupt, type OpenBlob } from "../blobs/blob-store.js";
import { synchronousCalls } from "../disk/file-calls.js";
import { fileError, isUnreadable } from "../disk/file-error.js";
import { closedError } from "../processes/ingest-files.js";
import { smallBytes } from "../write/blob-writer.js";
import { openAtOnce } from "../write/sync-fast-path.js";
import type { ReaderStart } from "./blob-reader.js";
import { rangeVerifier } from "./range-verifier.js";

/** What is read at once when it is opened, so that no descriptor stays open. Hashed before its one chunk is handed out. */
export class SmallReader implements MoteReader {
  readonly info: MoteInfo;
  readonly #store: BlobStore;
  readonly #digest: Digest;
  readonly #blob: OpenBlob;
  readonly #range: ReaderStart;
  #bytes: Uint8Array | undefined;
  #sound: boolean | undefined;
  #isClosed = false;

  private constructor(store: BlobStore, digest: Digest, blob: OpenBlob, range: ReaderStart, bytes: Uint8Array) {
    this.#store = store;
    this.#digest = digest;
    this.#blob = blob;
    this.#range = range;
    this.#bytes = bytes;
    this.info = { digest, size: blob.stats.size, mediaType: mediaTypes.octetStream };
  }

  /** Takes the descriptor over, and closes it. */
  static async read(store: BlobStore, digest: Digest, blob: OpenBlob, range: ReaderStart): Promise<MoteReader> {
    const whole = new Uint8Array(Math.max(0, range.end - range.start));
    let bytes: Uint8Array;
    try {
      if (range.countsAsUse !== false && store.isTouchDue(blob)) await store.touch(blob);
      if (range.verify && !isWhole(range, blob)) {
        await rangeVerifier(store, digest, blob, range.signal)?.check(range.start, range.end);
      }
      const got = await store.calls.read(blob.fd, whole, range.start);
      bytes = got < whole.byteLength ? whole.subarray(0, got) : whole;
    } catch (error) {
      const other = isCorrupt(error) || isUnreadable(error) ? await range.elsewhere?.() : undefined;
      if (other !== undefined) {
        store.logger.warn("a blob cannot be read, and is read from the fallback", { digest, error });
      }
      if (other !== undefined) return other;
      throw fileError(error, "read", store.folder.blobPath(digest));
    } finally {
      await store.calls.close(blob.fd);
    }
    const reader = new SmallReader(store, digest, blob, range, bytes);
    if (range.elsewhere === undefined || reader.#isSound(bytes)) return reader;
    await store.setAside(digest, blob.stats);
    return (await range.elsewhere()) ?? reader;
  }

  /**
   * The whole of a small blob, where nothing has to be waited for.
   * @returns undefined where it is not there, not small, or not sound: read it the long way
   */
  static readAtOnce(store: BlobStore, digest: Digest, how: Omit<ReaderStart, "start" | "end">): MoteReader | undefined {
    const blob = openAtOnce(store, digest);
    if (blob === undefined) return undefined;
    const { size } = blob.stats;
    try {
      if (size > smallBytes || (how.countsAsUse !== false && store.isTouchDue(blob))) return undefined;
      const bytes = new Uint8Array(Buffer.allocUnsafeSlow(size).buffer);
      if (synchronousCalls.read(blob.fd, bytes, 0) !== size) return undefined;
      const { verify, signal, elsewhere } = how;
      const reader = new SmallReader(store, digest, blob, { start: 0, end: size, verify, signal, elsewhere }, bytes);
      return elsewhere === undefined || reader.#isSound(bytes) ? reader : undefined;
    } catch {
      return undefined;
    } finally {
      synchronousCalls.close(blob.fd);
    }
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array, void, undefined> {
    const bytes = this.#bytes;
    this.#bytes = undefined;
    if (bytes === undefined) throw closedError(`the reader of ${this.#digest}, read once,`);
    return new OneChunk(() => this.#hand(bytes));
  }

  close(): Promise<void> {
    this.#bytes = undefined;
    this.#isClosed = true;
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #hand(bytes: Uint8Array): Promise<IteratorResult<Uint8Array, void>> {
    this.#range.signal?.throwIfAborted();
    if (this.#isClosed) throw closedError(`the reader of ${this.#digest}`);
    if (this.#isSound(bytes)) return bytes.byteLength > 0 ? { done: false, value: bytes } : end;
    await this.#store.setAside(this.#digest, this.#blob.stats);
    throw corruptError(this.#digest, this.#store.folder.blobPath(this.#digest));
  }

  #isSound(bytes: Uint8Array): boolean {
    this.#sound ??= this.#check(bytes);
    return this.#sound;
  }

  #check(bytes: Uint8Array): boolean {
    const { start, end, verify } = this.#range;
    if (bytes.byteLength < end - start) return false;
    if (!verify || !isWhole(this.#range, this.#blob)) return true;
    return digestBytes(bytes, digestAlgorithm(this.#digest)) === this.#digest;
  }
}

const end: IteratorResult<never, void> = { done: true, value: undefined };

/** What an async generator would do, at a third of its cost. */
class OneChunk implements AsyncIterableIterator<Uint8Array, void, undefined> {
  #hand: (() => Promise<IteratorResult<Uint8Array, void>>) | undefined;

  constructor(hand: () => Promise<IteratorResult<Uint8Array, void>>) {
    this.#hand = hand;
  }

  next(): Promise<IteratorResult<Uint8Array, void>> {
    const hand = this.#hand;
    this.#hand = undefined;
    return hand === undefined ? Promise.resolve(end) : hand();
  }

  return(): Promise<IteratorResult<Uint8Array, void>> {
    this.#hand = undefined;
    return Promise.resolve(end);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}

function isWhole({ start, end }: ReaderStart, { stats }: OpenBlob): boolean {
  return start === 0 && end === stats.size;
}
