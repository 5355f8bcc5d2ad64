import type { Cancellable, Digest, MoteReaderAt } from "@mote/core";
import { type BlobStore, isCorrupt, type OpenBlob } from "../blobs/blob-store.js";
import { asynchronousCalls } from "../disk/file-calls.js";
import { fileError, isUnreadable } from "../disk/file-error.js";
import { closedError } from "../processes/ingest-files.js";
import { smallBytes } from "../write/blob-writer.js";
import { type RangeVerifier, rangeVerifier } from "./range-verifier.js";

/** A blob's bytes at any position, checked chunk by chunk where the chunks' digests are known. */
export class BlobReaderAt implements MoteReaderAt {
  readonly size: number;
  readonly #store: BlobStore;
  readonly #digest: Digest;
  readonly #fd: number;
  readonly #onClose: (() => Promise<void>) | undefined;
  readonly #parts: RangeVerifier | undefined;
  readonly #reads = new Set<Promise<unknown>>();
  readonly #elsewhere: (() => Promise<MoteReaderAt | undefined>) | undefined;
  readonly #ended = new AbortController();
  #other: Promise<MoteReaderAt | undefined> | undefined;
  #closing: Promise<void> | undefined;

  constructor(
    store: BlobStore,
    digest: Digest,
    blob: OpenBlob,
    options: {
      readonly verify: boolean;
      /** Where to read on when the blob proves damaged; answers undefined where nobody else has it. */
      readonly elsewhere?: (() => Promise<MoteReaderAt | undefined>) | undefined;
      readonly onClose?: (() => Promise<void>) | undefined;
    },
  ) {
    this.#store = store;
    this.#digest = digest;
    this.#fd = blob.fd;
    this.size = blob.stats.size;
    this.#onClose = options.onClose;
    this.#elsewhere = options.elsewhere;
    this.#parts = options.verify ? rangeVerifier(store, digest, blob, this.#ended.signal) : undefined;
  }

  async readAt(into: Uint8Array, position: number, options?: Cancellable): Promise<number> {
    if (this.#closing !== undefined) throw closedError(`the reader of ${this.#digest}`);
    if (!Number.isSafeInteger(position) || position < 0)
      throw new TypeError("a position is a whole number of bytes, from 0");
    options?.signal?.throwIfAborted();
    const wanted = into.subarray(0, Math.max(0, Math.min(into.byteLength, this.size - position)));
    // A blob that was emptied is damaged.
    if (wanted.byteLength === 0 && this.size > 0) return 0;
    const calls = wanted.byteLength <= smallBytes ? this.#store.calls : asynchronousCalls;
    const read = (async () => {
      const other = await this.#replacement(position, position + wanted.byteLength);
      try {
        return await (other?.readAt(wanted, position, options) ?? calls.read(this.#fd, wanted, position));
      } catch (error) {
        if (other !== undefined || !isUnreadable(error)) throw error;
        return await (await this.#readElsewhere(error)).readAt(wanted, position, options);
      }
    })();
    this.#reads.add(read);
    try {
      return await read;
    } catch (error) {
      throw fileError(error, "read", this.#store.folder.blobPath(this.#digest));
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

  /** Undefined where this part of the blob is sound, or not to be checked. */
  async #replacement(start: number, end: number): Promise<MoteReaderAt | undefined> {
    const before = await this.#other;
    if (before !== undefined) return before;
    try {
      await this.#parts?.check(start, end);
      return undefined;
    } catch (error) {
      if (!isCorrupt(error) && !isUnreadable(error)) throw error;
      return await this.#readElsewhere(error);
    }
  }

  /** @throws `error` where nobody else has it */
  async #readElsewhere(error: unknown): Promise<MoteReaderAt> {
    this.#other ??= this.#elsewhere?.();
    const other = await this.#other;
    if (other === undefined) throw error;
    return other;
  }

  async #release(): Promise<void> {
    this.#ended.abort(closedError(`the reader of ${this.#digest}`));
    await Promise.allSettled(this.#reads);
    await (await this.#other?.catch(() => undefined))?.close();
    await this.#store.calls.close(this.#fd);
    await this.#onClose?.();
  }
}
