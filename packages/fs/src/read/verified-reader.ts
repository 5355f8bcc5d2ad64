import { ReadOnceReader } from "@mote/core";
import type { BlobStore } from "../blobs/blob-store.js";
import { fileError } from "../disk/file-error.js";
import type { BlobHandle } from "./blob-handle.js";
import type { BlobOpener } from "./blob-opener.js";
import type { SharedChunks } from "./shared-chunks.js";

/** Streams an open blob that has not changed since it was verified, without hashing it again. */
export class VerifiedReader extends ReadOnceReader {
  readonly #store: BlobStore;
  readonly #opener: BlobOpener;
  readonly #shared: SharedChunks;
  readonly #handle: BlobHandle;
  readonly #signal: AbortSignal | undefined;
  readonly #chunkBytes: number;
  readonly #pending = new Set<Promise<unknown>>();

  constructor(
    store: BlobStore,
    opener: BlobOpener,
    shared: SharedChunks,
    { handle, signal }: { readonly handle: BlobHandle; readonly signal: AbortSignal | undefined },
  ) {
    super(handle.info);
    this.#store = store;
    this.#opener = opener;
    this.#shared = shared;
    this.#handle = handle;
    this.#signal = signal;
    this.#chunkBytes = shared.acquire(handle.digest);
  }

  protected override async release(): Promise<void> {
    this.#shared.release(this.#handle.digest);
    // They read from this descriptor.
    await Promise.allSettled(this.#pending);
    await this.#opener.close(this.#handle.blob);
  }

  protected async *chunks(): AsyncGenerator<Uint8Array, void, undefined> {
    const { digest, start, end } = this.#handle;
    for (let at = start; at < end; ) {
      const first = at - (at % this.#chunkBytes);
      const chunk = await this.#read(first);
      if (first + this.#chunkBytes < end) this.#read(first + this.#chunkBytes).catch(() => {});
      this.#signal?.throwIfAborted();
      this.assertOpen();
      const bytes = chunk.subarray(at - first, end - first);
      // The file was truncated after it was opened.
      if (bytes.byteLength === 0) throw this.#store.corruptError(digest);
      at += bytes.byteLength;
      yield bytes;
    }
  }

  async #read(position: number): Promise<Uint8Array> {
    const { digest, blob } = this.#handle;
    const reading = this.#shared.read(digest, blob, position, this.#chunkBytes);
    this.#pending.add(reading);
    try {
      return await reading;
    } catch (error) {
      throw fileError(error, "read", this.#store.folder.blobPath(digest));
    } finally {
      this.#pending.delete(reading);
    }
  }
}
