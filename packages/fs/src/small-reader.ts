import { type Digest, digestAlgorithm, digestBytes, type MoteInfo, type MoteReader, mediaTypes } from "@mote/core";
import type { ReaderStart } from "./blob-reader.js";
import { type BlobStore, corruptError, isCorrupt, type OpenBlob } from "./blob-store.js";
import { checkedParts } from "./checked-parts.js";
import { fileFault } from "./file-fault.js";
import { closedError } from "./part-files.js";

/** What is read at once when it is opened, so that no descriptor stays open. Hashed before its one chunk is handed out. */
export class SmallReader implements MoteReader {
  readonly info: MoteInfo;
  readonly #store: BlobStore;
  readonly #digest: Digest;
  readonly #blob: OpenBlob;
  readonly #range: ReaderStart;
  #bytes: Uint8Array | undefined;
  #isClosed = false;

  private constructor(store: BlobStore, digest: Digest, blob: OpenBlob, range: ReaderStart & { bytes: Uint8Array }) {
    this.#store = store;
    this.#digest = digest;
    this.#blob = blob;
    this.#range = range;
    this.#bytes = range.bytes;
    this.info = { digest, size: blob.stats.size, mediaType: mediaTypes.octetStream };
  }

  /** Takes the descriptor over, and closes it. */
  static async read(store: BlobStore, digest: Digest, blob: OpenBlob, range: ReaderStart): Promise<MoteReader> {
    const whole = new Uint8Array(Math.max(0, range.end - range.start));
    let bytes: Uint8Array;
    try {
      if (range.countsAsUse !== false && store.isTouchDue(blob)) await store.touch(blob);
      if (range.verify && !isWhole(range, blob)) {
        await checkedParts(store, digest, blob, range.signal)?.check(range.start, range.end);
      }
      const got = await store.calls.read(blob.fd, whole, range.start);
      bytes = got < whole.byteLength ? whole.subarray(0, got) : whole;
    } catch (error) {
      const other = isCorrupt(error) ? await range.elsewhere?.() : undefined;
      if (other !== undefined) return other;
      throw fileFault(error, "read", store.folder.blobPath(digest));
    } finally {
      await store.calls.close(blob.fd);
    }
    const reader = new SmallReader(store, digest, blob, { ...range, bytes });
    if (range.elsewhere === undefined || reader.#isSound(bytes)) return reader;
    await store.setAside(digest, blob.stats);
    return (await range.elsewhere()) ?? reader;
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array, void, undefined> {
    const bytes = this.#bytes;
    this.#bytes = undefined;
    if (bytes === undefined) throw closedError(`the reader of ${this.#digest}, read once,`);
    return this.#hand(bytes);
  }

  async close(): Promise<void> {
    this.#bytes = undefined;
    this.#isClosed = true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async *#hand(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
    this.#range.signal?.throwIfAborted();
    if (this.#isClosed) throw closedError(`the reader of ${this.#digest}`);
    if (this.#isSound(bytes)) {
      if (bytes.byteLength > 0) yield bytes;
      return;
    }
    await this.#store.setAside(this.#digest, this.#blob.stats);
    throw corruptError(this.#digest, this.#store.folder.blobPath(this.#digest));
  }

  #isSound(bytes: Uint8Array): boolean {
    const { start, end, verify } = this.#range;
    if (bytes.byteLength < end - start) return false;
    if (!verify || !isWhole(this.#range, this.#blob)) return true;
    return digestBytes(bytes, digestAlgorithm(this.#digest)) === this.#digest;
  }
}

function isWhole({ start, end }: ReaderStart, { stats }: OpenBlob): boolean {
  return start === 0 && end === stats.size;
}
