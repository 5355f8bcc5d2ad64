import {
  createDigester,
  type Digest,
  type Digester,
  digestAlgorithm,
  type MoteInfo,
  type MoteReader,
  mediaTypes,
} from "@mote/core";
import { type BlobStore, corruptError, isCorrupt, type OpenBlob } from "../blobs/blob-store.js";
import { FileChunks } from "../disk/file-chunks.js";
import { fileError, isUnreadable } from "../disk/file-error.js";
import { closedError } from "../processes/ingest-files.js";
import { smallBytes } from "../write/blob-writer.js";
import { fallbackOnDamage } from "./fallback-on-damage.js";
import { type RangeVerifier, rangeVerifier } from "./range-verifier.js";
import { SmallReader } from "./small-reader.js";

export interface ReaderStart {
  readonly start: number;
  readonly end: number;
  /** Hash, where the whole is read. */
  readonly verify: boolean;
  /** Default true. */
  readonly countsAsUse?: boolean | undefined;
  readonly reuse?: boolean | undefined;
  readonly signal: AbortSignal | undefined;
  /**
   * Reads the blob where it is damaged or cannot be read here: from `from` on, by default from the range's start. Undefined where nobody
   * else has it.
   */
  readonly elsewhere: ((from?: number) => Promise<MoteReader | undefined>) | undefined;
  readonly onClose?: (() => Promise<void>) | undefined;
}

/** A blob's bytes, verified as they pass. An open descriptor keeps them readable whatever happens to the name. */
export class BlobReader implements MoteReader {
  readonly info: MoteInfo;
  readonly #store: BlobStore;
  readonly #digest: Digest;
  readonly #blob: OpenBlob;
  readonly #range: ReaderStart;
  readonly #digester: Digester | undefined;
  readonly #parts: RangeVerifier | undefined;
  #fd: number | undefined;
  #stop: (() => Promise<void>) | undefined;
  #reading = false;
  #closing: Promise<void> | undefined;

  private constructor(store: BlobStore, digest: Digest, blob: OpenBlob, range: ReaderStart) {
    const { size } = blob.stats;
    this.#store = store;
    this.#digest = digest;
    this.#blob = blob;
    this.#range = range;
    this.#fd = blob.fd;
    this.info = { digest, size, mediaType: mediaTypes.octetStream };
    const isWhole = range.start === 0 && range.end === size;
    this.#digester = range.verify && isWhole ? createDigester(digestAlgorithm(digest)) : undefined;
    this.#parts = range.verify && !isWhole ? rangeVerifier(store, digest, blob, range.signal) : undefined;
    store.budget.acquire();
  }

  /** A reader of the part of the blob that is within `asked`. Takes the descriptor over. */
  static async begin(store: BlobStore, digest: Digest, blob: OpenBlob, asked: ReaderStart): Promise<MoteReader> {
    const range = { ...asked, end: Math.min(asked.end, blob.stats.size) };
    if (range.end - range.start <= smallBytes && asked.onClose === undefined) {
      return await SmallReader.read(store, digest, blob, range);
    }
    if (range.countsAsUse !== false) await store.touch(blob);
    return (await replacement(store, digest, blob, range)) ?? new BlobReader(store, digest, blob, range);
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array, void, undefined> {
    if (this.#reading || this.#closing !== undefined) throw closedError(`the reader of ${this.#digest}, read once,`);
    this.#reading = true;
    return this.#chunks();
  }

  close(): Promise<void> {
    this.#closing ??= this.#release();
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  get #length(): number {
    return Math.max(0, this.#range.end - this.#range.start);
  }

  async *#chunks(): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      yield* this.#stream();
    } finally {
      await this.close();
    }
  }

  async *#stream(): AsyncGenerator<Uint8Array, void, undefined> {
    const { reuse = false } = this.#range;
    const chunks = new FileChunks(this.#blob.fd, this.#range, () => this.#store.budget.chunkBytes, { reuse });
    this.#stop = () => chunks.stop();
    if (this.#length === 0 && this.#isSound(0)) return;
    for (let came = 0; ; ) {
      let chunk: Uint8Array | undefined;
      try {
        chunk = await this.#next(chunks);
      } catch (error) {
        const other = isUnreadable(error) ? await this.#range.elsewhere?.(this.#range.start + came) : undefined;
        if (other === undefined) throw error;
        this.#store.logger.warn("a blob cannot be read to its end, and is read on from the fallback", { error });
        yield* this.#resume(other, came);
        return;
      }
      if (chunk === undefined) break;
      this.#digester?.update(chunk);
      const position = this.#range.start + came;
      try {
        await this.#parts?.check(position, position + chunk.byteLength);
      } catch (error) {
        const isDamaged = came === 0 && isCorrupt(error);
        const from = isDamaged ? undefined : position;
        const other = isDamaged || isUnreadable(error) ? await this.#range.elsewhere?.(from) : undefined;
        if (other === undefined) throw error;
        yield* this.#resume(other, came);
        return;
      }
      came += chunk.byteLength;
      const isLast = came === this.#length;
      if (isLast && !this.#isSound(came)) break;
      yield chunk;
      if (isLast) return;
    }
    await this.#setAside();
    throw this.#corrupt();
  }

  /** Reads on at another source, at the byte where this one failed. The last chunk is handed out when the whole is verified. */
  async *#resume(other: MoteReader, before: number): AsyncGenerator<Uint8Array, void, undefined> {
    let came = before;
    await using rest = other;
    for await (const chunk of rest) {
      this.#range.signal?.throwIfAborted();
      if (this.#closing !== undefined) throw closedError(`the reader of ${this.#digest}`);
      this.#digester?.update(chunk);
      came += chunk.byteLength;
      if (came >= this.#length && !this.#isSound(came)) throw this.#corrupt();
      yield chunk;
    }
    if (came < this.#length) throw this.#corrupt();
  }

  async #next(chunks: FileChunks): Promise<Uint8Array | undefined> {
    try {
      const chunk = await chunks.next();
      const turn = this.#store.slices.pause();
      if (turn !== undefined) await turn;
      this.#range.signal?.throwIfAborted();
      // Closed while the loop goes on: an end here would look like a clean one.
      if (this.#closing !== undefined) throw closedError(`the reader of ${this.#digest}`);
      return chunk;
    } catch (error) {
      throw fileError(error, "read", this.#store.folder.blobPath(this.#digest));
    }
  }

  #isSound(came: number): boolean {
    if (came !== this.#length) return false;
    return this.#digester === undefined || this.#digester.digest() === this.#digest;
  }

  async #setAside(): Promise<void> {
    await this.#store.setAside(this.#digest, this.#blob.stats);
  }

  #corrupt(): Error {
    return corruptError(this.#digest, this.#store.folder.blobPath(this.#digest));
  }

  async #release(): Promise<void> {
    const fd = this.#fd;
    this.#fd = undefined;
    if (fd === undefined) return;
    this.#store.budget.release();
    await this.#stop?.();
    await this.#store.calls.close(fd);
    await this.#range.onClose?.();
  }
}

/** A blob that changed since it was verified is hashed before bytes are handed out, where there is a second place to read it. */
async function replacement(
  store: BlobStore,
  digest: Digest,
  blob: OpenBlob,
  { start, end, verify, signal, elsewhere, onClose }: ReaderStart,
): Promise<MoteReader | undefined> {
  const isWhole = start === 0 && end === blob.stats.size;
  if (elsewhere === undefined || !verify || !isWhole) return undefined;
  return await fallbackOnDamage(store, digest, blob, { signal, elsewhere, onClose });
}
