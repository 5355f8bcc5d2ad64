import { type Cancellable, hasCode, type MoteReaderAt } from "@mote/core";
import type { BlobStore } from "../blobs/blob-store.js";
import { asynchronousCalls } from "../disk/file-calls.js";
import { fileError, isUnreadable } from "../disk/file-error.js";
import { smallBytes } from "../disk/small-buffers.js";
import { closedError } from "../processes/ingest-files.js";
import type { BlobHandle } from "./blob-handle.js";
import type { BlobOpener } from "./blob-opener.js";
import { type RangeVerifier, rangeVerifier } from "./range-verifier.js";

/** Reads an open blob at any position, verified chunk by chunk if the chunks' digests are known. */
export class BlobReaderAt implements MoteReaderAt {
  readonly size: number;
  readonly #store: BlobStore;
  readonly #opener: BlobOpener;
  readonly #handle: BlobHandle;
  readonly #ranges: RangeVerifier | undefined;
  readonly #reads = new Set<Promise<unknown>>();
  readonly #fallback: (() => Promise<MoteReaderAt | undefined>) | undefined;
  readonly #ended = new AbortController();
  #other: Promise<MoteReaderAt | undefined> | undefined;
  #closing: Promise<void> | undefined;

  constructor(
    store: BlobStore,
    opener: BlobOpener,
    handle: BlobHandle,
    fallback: (() => Promise<MoteReaderAt | undefined>) | undefined,
  ) {
    const { digest, blob } = handle;
    this.#store = store;
    this.#opener = opener;
    this.#handle = handle;
    this.#fallback = fallback;
    this.size = blob.stats.size;
    this.#ranges = handle.verify ? rangeVerifier(store, digest, blob, this.#ended.signal) : undefined;
  }

  async readAt(into: Uint8Array, position: number, options?: Cancellable): Promise<number> {
    if (this.#closing !== undefined) throw closedError(`the reader of ${this.#handle.digest}`);
    if (!Number.isSafeInteger(position) || position < 0)
      throw new TypeError(`a position must be a whole number of bytes from 0, not ${String(position)}`);
    options?.signal?.throwIfAborted();
    const wanted = into.subarray(0, Math.max(0, Math.min(into.byteLength, this.size - position)));
    // An empty file here is damaged.
    if (wanted.byteLength === 0 && this.size > 0) return 0;
    const calls = wanted.byteLength <= smallBytes ? this.#store.calls : asynchronousCalls;
    const read = (async () => {
      const before = await this.#other;
      if (before !== undefined) return await before.readAt(wanted, position, options);
      try {
        await this.#ranges?.check(position, position + wanted.byteLength);
        return await calls.read(this.#handle.blob.fd, wanted, position);
      } catch (error) {
        if (!hasCode(error, "MOTE_CORRUPT") && !isUnreadable(error)) throw error;
        this.#other ??= this.#fallback?.();
        const other = await this.#other;
        if (other === undefined) throw error;
        return await other.readAt(wanted, position, options);
      }
    })();
    this.#reads.add(read);
    try {
      return await read;
    } catch (error) {
      throw fileError(error, "read", this.#store.folder.blobPath(this.#handle.digest));
    } finally {
      this.#reads.delete(read);
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#release();
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #release(): Promise<void> {
    this.#ended.abort(closedError(`the reader of ${this.#handle.digest}`));
    await Promise.allSettled(this.#reads);
    await (await this.#other?.catch(() => undefined))?.close();
    await this.#opener.close(this.#handle.blob);
  }
}
