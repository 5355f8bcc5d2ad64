import { digestAlgorithm, digestBytes, ReadOnceReader } from "@mote/core";
import type { BlobStore } from "../blobs/blob-store.js";
import type { BlobHandle } from "./blob-handle.js";

/** Returns the bytes read on opening, after verifying them if necessary. */
export class SmallReader extends ReadOnceReader {
  readonly #store: BlobStore;
  readonly #handle: BlobHandle;
  readonly #signal: AbortSignal | undefined;

  constructor(store: BlobStore, handle: BlobHandle, signal: AbortSignal | undefined) {
    super(handle.info);
    this.#store = store;
    this.#handle = handle;
    this.#signal = signal;
  }

  protected override chunks(): AsyncIterator<Uint8Array, void, undefined> {
    return new OneChunk(() => this.#next());
  }

  async #next(): Promise<IteratorResult<Uint8Array, void>> {
    this.#signal?.throwIfAborted();
    this.assertOpen();
    const { bytes, digest, blob } = this.#handle;
    if (bytes === undefined || !hasRightBytes(this.#handle)) return await this.#store.reject(digest, blob.stats);
    return bytes.byteLength > 0 ? { done: false, value: bytes } : end;
  }
}

/** Returns whether the range was read completely and, if verified, matches the digest. */
export function hasRightBytes({ bytes, length, verify, isWhole, digest }: BlobHandle): boolean {
  if (bytes?.byteLength !== length) return false;
  return !(verify && isWhole) || digestBytes(bytes, digestAlgorithm(digest)) === digest;
}

const end: IteratorResult<never, void> = { done: true, value: undefined };

/** Like an async generator, at a third of the cost. */
class OneChunk implements AsyncIterableIterator<Uint8Array, void, undefined> {
  #take: (() => Promise<IteratorResult<Uint8Array, void>>) | undefined;

  constructor(take: () => Promise<IteratorResult<Uint8Array, void>>) {
    this.#take = take;
  }

  next(): Promise<IteratorResult<Uint8Array, void>> {
    const take = this.#take;
    this.#take = undefined;
    return take === undefined ? Promise.resolve(end) : take();
  }

  return(): Promise<IteratorResult<Uint8Array, void>> {
    this.#take = undefined;
    return Promise.resolve(end);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
