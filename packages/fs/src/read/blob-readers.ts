import {
  type Cancellable,
  type Digest,
  type FollowOptions,
  isNotFound,
  type MoteFollower,
  type MoteInfo,
  type MoteReader,
  type MoteReaderAt,
  type MoteSource,
  mediaTypes,
  type ReadOptions,
} from "@mote/core";
import type { BlobStore } from "../blobs/blob-store.js";
import type { Soon } from "../disk/steps.js";
import type { WriterLocks } from "../processes/writer-locks.js";
import { BlobFollower } from "./blob-follower.js";
import { BlobHandle } from "./blob-handle.js";
import { BlobOpener } from "./blob-opener.js";
import { BlobReader } from "./blob-reader.js";
import { BlobReaderAt } from "./blob-reader-at.js";
import type { Fallback } from "./fallback.js";
import { SharedChunks } from "./shared-chunks.js";
import { SmallReader } from "./small-reader.js";
import { VerifiedReader } from "./verified-reader.js";

/** Reads a store's blobs, those that are being written, and the fallback's. */
export class BlobReaders {
  readonly #store: BlobStore;
  readonly #locks: WriterLocks;
  readonly #opener: BlobOpener;
  readonly #verify: boolean;
  readonly #isLocal: boolean;
  readonly #fallback: Fallback | undefined;
  readonly #shared = new SharedChunks();

  constructor(
    store: BlobStore,
    locks: WriterLocks,
    options: {
      readonly verify: boolean;
      readonly linkOnRead: boolean;
      readonly isLocal: boolean;
      readonly fallback: Fallback | undefined;
    },
  ) {
    this.#store = store;
    this.#locks = locks;
    this.#opener = new BlobOpener(store, options);
    this.#verify = options.verify;
    this.#isLocal = options.isLocal;
    this.#fallback = options.fallback;
  }

  async exists(digest: Digest, options: Cancellable | undefined): Promise<boolean> {
    const found = this.#store.stat(digest);
    if ((found instanceof Promise ? await found : found) !== undefined) return true;
    if (this.#fallback === undefined) return false;
    return await this.#fallback.request(digest, false, (source) => source.moteExists(digest, options));
  }

  async find(digest: Digest, options: Cancellable | undefined): Promise<MoteInfo | undefined> {
    const stats = await this.#store.stat(digest);
    if (stats !== undefined) return { digest, size: stats.size, mediaType: mediaTypes.octetStream };
    return await this.#fallback?.request(digest, undefined, (source) => source.find(digest, options));
  }

  reader(digest: Digest, options: ReadOptions): Soon<MoteReader> {
    const { start = 0, end = Number.POSITIVE_INFINITY, signal, countsAsUse, verifyOnRead: verify } = options;
    checkRange(start, end);
    const fallback = this.#readFallback(digest, (source, from = start) =>
      source.moteReader(digest, { ...options, start: from }),
    );
    // Readers that share chunks cannot continue from a fallback.
    const rehash = options.rehash !== false || fallback !== undefined;
    const request = { start, end, signal, countsAsUse, rehash, verify, readSmall: true, fallback };
    const opening = this.#opener.open(digest, request);
    if (!(opening instanceof Promise)) return this.#readerOf(opening, options, fallback);
    return opening.then((opened) => this.#readerOf(opened, options, fallback));
  }

  async readerAt(digest: Digest, options: Cancellable | undefined): Promise<MoteReaderAt> {
    const fallback = this.#readFallback(digest, (source) => source.moteReaderAt(digest, options));
    const request = { start: 0, end: Number.POSITIVE_INFINITY, readSmall: false, fallback };
    const opened = await this.#opener.open(digest, { ...request, signal: options?.signal });
    return opened instanceof BlobHandle ? new BlobReaderAt(this.#store, this.#opener, opened, fallback) : opened;
  }

  /** Reads a blob while it is written; if no process writes it, reads the blob. Undefined if there is neither. */
  async follow(digest: Digest, options: FollowOptions): Promise<MoteFollower | undefined> {
    const { start = 0, verifyOnRead = true, signal, reuse } = options;
    checkRange(start, start);
    const follower = await BlobFollower.open(this.#store, this.#locks, digest, {
      ...options,
      // On a network file system, what this machine reads may differ from what the writer, on another one, has hashed.
      verifyOnRead: this.#verify && (verifyOnRead || !this.#isLocal),
    });
    if (follower !== undefined) return follower;
    try {
      const request = { start, end: Number.POSITIVE_INFINITY, signal, readSmall: true, fallback: undefined };
      return this.#readerOf(await this.#opener.open<never>(digest, request), { signal, reuse }, undefined);
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  #readerOf(
    handle: BlobHandle | MoteReader,
    options: ReadOptions,
    fallback: ReadFallback<MoteReader> | undefined,
  ): MoteReader {
    if (!(handle instanceof BlobHandle)) return handle;
    if (handle.bytes !== undefined) return new SmallReader(this.#store, handle, options.signal);
    const { signal, reuse } = options;
    if (handle.isVerified) return new VerifiedReader(this.#store, this.#opener, this.#shared, { handle, signal });
    return new BlobReader(this.#store, this.#opener, handle, { signal, reuse, fallback });
  }

  #readFallback<T>(
    digest: Digest,
    read: (source: MoteSource, from?: number) => Promise<T>,
  ): ReadFallback<T> | undefined {
    const fallback = this.#fallback;
    if (fallback === undefined) return undefined;
    return (from) => fallback.request<T | undefined>(digest, undefined, (source) => read(source, from));
  }
}

type ReadFallback<T> = (from?: number) => Promise<T | undefined>;

function checkRange(start: number, end: number): void {
  const isPosition = (value: number) =>
    value >= 0 && (Number.isSafeInteger(value) || value === Number.POSITIVE_INFINITY);
  if (!isPosition(start) || !isPosition(end)) {
    throw new TypeError(`start and end must be whole numbers of bytes from 0, not ${String(start)} and ${String(end)}`);
  }
}
