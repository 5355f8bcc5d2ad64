import { createDigester, type Digester, digestAlgorithm, hasCode, type MoteReader, ReadOnceReader } from "@mote/core";
import type { BlobStore } from "../blobs/blob-store.js";
import { FileChunks } from "../disk/file-chunks.js";
import { fileError, isUnreadable } from "../disk/file-error.js";
import type { BlobHandle } from "./blob-handle.js";
import type { BlobOpener, OpenRequest } from "./blob-opener.js";
import { type RangeVerifier, rangeVerifier } from "./range-verifier.js";

interface ReaderOptions extends Pick<OpenRequest<MoteReader>, "signal" | "fallback"> {
  readonly reuse?: boolean | undefined;
}

/** Streams an open blob, and verifies its bytes on the way. */
export class BlobReader extends ReadOnceReader {
  readonly #store: BlobStore;
  readonly #opener: BlobOpener;
  readonly #handle: BlobHandle;
  readonly #options: ReaderOptions;
  readonly #digester: Digester | undefined;
  readonly #ranges: RangeVerifier | undefined;
  readonly #chunks: FileChunks;
  /** Bytes returned, or about to be. */
  #bytesRead = 0;

  constructor(store: BlobStore, opener: BlobOpener, handle: BlobHandle, options: ReaderOptions) {
    super(handle.info);
    const { digest, blob, isWhole, verify } = handle;
    this.#store = store;
    this.#opener = opener;
    this.#handle = handle;
    this.#options = options;
    this.#digester = verify && isWhole ? createDigester(digestAlgorithm(digest)) : undefined;
    this.#ranges = verify && !isWhole ? rangeVerifier(store, digest, blob, options.signal) : undefined;
    const { reuse = false } = options;
    this.#chunks = new FileChunks(blob.fd, handle, () => store.budget.chunkBytes, { reuse });
    store.budget.acquire();
  }

  protected override async release(): Promise<void> {
    this.#store.budget.release();
    await this.#chunks.stop();
    await this.#opener.close(this.#handle.blob);
  }

  protected override async *chunks(): AsyncGenerator<Uint8Array, void, undefined> {
    const { digest, blob, length, start } = this.#handle;
    while (this.#bytesRead < length) {
      let chunk: Uint8Array | undefined;
      try {
        chunk = await this.#next();
      } catch (error) {
        const from = hasCode(error, "MOTE_CORRUPT") && this.#bytesRead === 0 ? undefined : start + this.#bytesRead;
        const isReplaceable = isUnreadable(error) || from === undefined;
        const other = isReplaceable ? await this.#options.fallback?.(from) : undefined;
        if (other === undefined) throw error;
        this.#store.logger.warn("a blob cannot be read to its end; continuing from the fallback", { digest, error });
        return yield* this.#continueFrom(other);
      }
      if (chunk === undefined || !this.#accepts(chunk)) return await this.#store.reject(digest, blob.stats);
      yield chunk;
    }
    if (length === 0 && !this.#isRight()) await this.#store.reject(digest, blob.stats);
  }

  /** Continues from another source, at the byte where this one failed. */
  async *#continueFrom(other: MoteReader): AsyncGenerator<Uint8Array, void, undefined> {
    await using rest = other;
    for await (const chunk of rest) {
      this.#options.signal?.throwIfAborted();
      this.assertOpen();
      if (!this.#accepts(chunk)) throw this.#store.corruptError(this.#handle.digest);
      yield chunk;
    }
    if (this.#bytesRead < this.#handle.length) throw this.#store.corruptError(this.#handle.digest);
  }

  async #next(): Promise<Uint8Array | undefined> {
    try {
      const chunk = await this.#chunks.next();
      const turn = this.#store.yields.yieldIfDue();
      if (turn !== undefined) await turn;
      this.#options.signal?.throwIfAborted();
      this.assertOpen();
      const position = this.#handle.start + this.#bytesRead;
      if (chunk !== undefined) await this.#ranges?.check(position, position + chunk.byteLength);
      return chunk;
    } catch (error) {
      throw fileError(error, "read", this.#store.folder.blobPath(this.#handle.digest));
    }
  }

  /** Hashes the next bytes. Accepts the last ones only if the complete blob matches. */
  #accepts(chunk: Uint8Array): boolean {
    this.#digester?.update(chunk);
    this.#bytesRead += chunk.byteLength;
    return this.#bytesRead < this.#handle.length || this.#isRight();
  }

  #isRight(): boolean {
    if (this.#bytesRead !== this.#handle.length) return false;
    return this.#digester === undefined || this.#digester.digest() === this.#handle.digest;
  }
}
