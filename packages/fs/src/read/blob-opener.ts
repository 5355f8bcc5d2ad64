import { type Digest, hasCode, isNotFound, MoteError } from "@mote/core";
import type { BlobStore } from "../blobs/blob-store.js";
import type { OpenBlob } from "../blobs/open-blob.js";
import { fileError, isUnreadable } from "../disk/file-error.js";
import { smallBytes } from "../disk/small-buffers.js";
import { runSteps, type Soon, type Steps, step } from "../disk/steps.js";
import { BlobHandle, type ByteRange } from "./blob-handle.js";
import { rangeVerifier } from "./range-verifier.js";
import { hasRightBytes } from "./small-reader.js";

export interface OpenRequest<Other> extends ByteRange {
  readonly signal?: AbortSignal | undefined;
  /** Default true. */
  readonly countsAsUse?: boolean | undefined;
  /** Whether a blob that has not changed since it was verified is hashed again. Default true. */
  readonly rehash?: boolean | undefined;
  /** Whether the reader verifies the bytes. Default: as the cache is configured. */
  readonly verify?: boolean | undefined;
  /** Whether a small range is read at once, so that no descriptor stays open. */
  readonly readSmall: boolean;
  /**
   * Reads the blob elsewhere if it cannot be read here: from `from` on, by default from the start of the range. Undefined if it does not
   * exist there either.
   */
  readonly fallback: ((from?: number) => Promise<Other | undefined>) | undefined;
}

/** Opens blobs for readers. */
export class BlobOpener {
  readonly #store: BlobStore;
  readonly #verify: boolean;
  readonly #linkOnRead: boolean;

  constructor(store: BlobStore, options: { readonly verify: boolean; readonly linkOnRead: boolean }) {
    this.#store = store;
    this.#verify = options.verify;
    this.#linkOnRead = options.linkOnRead;
  }

  /**
   * Opens a blob, or the fallback's if the blob is missing, damaged (then it is quarantined) or unreadable. Once a reader has
   * returned bytes of a damaged blob, it cannot switch to another source: so with a fallback, a blob that changed since it was verified is
   * hashed here. Without one, the reader that streams the blob hashes it.
   * @throws MOTE_NOT_FOUND · MOTE_CORRUPT · MOTE_IO, if the fallback does not have it either
   */
  open<Other>(digest: Digest, request: OpenRequest<Other>): Soon<BlobHandle | Other> {
    return runSteps(this.#open(digest, request));
  }

  /** Closes a blob's descriptor, and removes the link that was made to read it. */
  close({ fd, link }: OpenBlob): Soon<void> {
    return link === undefined ? this.#store.calls.close(fd) : this.#closeLinked(fd, link);
  }

  *#open<Other>(digest: Digest, request: OpenRequest<Other>): Steps<BlobHandle | Other> {
    try {
      const blob = yield* step(this.#linkOnRead ? this.#openLink(digest) : this.#store.open(digest));
      if (blob === undefined) throw absentError(digest, this.#store.folder.root);
      return yield* this.#prepare(digest, blob, request);
    } catch (error) {
      const isAbsent = isNotFound(error);
      const isReplaceable = isAbsent || hasCode(error, "MOTE_CORRUPT") || isUnreadable(error);
      const other = isReplaceable ? yield* step(request.fallback?.()) : undefined;
      if (other === undefined) throw fileError(error, "read", this.#store.folder.blobPath(digest));
      if (!isAbsent) {
        this.#store.logger.warn("a blob cannot be read; reading it from the fallback", { digest, error });
      }
      return other;
    }
  }

  /** Reads a small range at once, and verifies whatever must be verified first. Closes the descriptor on error. */
  *#prepare(digest: Digest, blob: OpenBlob, request: OpenRequest<unknown>): Steps<BlobHandle> {
    const store = this.#store;
    const handle = new BlobHandle(digest, blob, request, request.verify ?? this.#verify);
    let keepsOpen = false;
    try {
      if (request.countsAsUse !== false && store.isTouchDue(blob)) yield* step(store.touch(blob));
      if (request.readSmall && handle.length <= smallBytes && blob.link === undefined) {
        yield* this.#readSmall(handle, request);
      } else if (request.rehash === false && handle.verify && store.isUnchanged(digest, blob)) {
        handle.isVerified = true;
        keepsOpen = true;
      } else {
        const isDoubtful = handle.verify && handle.isWhole && !store.isUnchanged(digest, blob);
        if (isDoubtful && request.fallback && !(yield* step(store.rehash(digest, blob, request.signal)))) {
          yield* step(store.reject(digest, blob.stats));
        }
        keepsOpen = true;
      }
      return handle;
    } finally {
      if (!keepsOpen) yield* step(this.close(blob));
    }
  }

  *#readSmall(handle: BlobHandle, request: OpenRequest<unknown>): Steps<void> {
    const { digest, blob, isWhole } = handle;
    if (handle.verify && !isWhole) {
      const ranges = rangeVerifier(this.#store, digest, blob, request.signal);
      yield* step(ranges?.check(handle.start, handle.end));
      handle.verify = false;
    }
    const bytes = new Uint8Array(Buffer.allocUnsafeSlow(handle.length).buffer);
    const got = yield* step(this.#store.calls.read(blob.fd, bytes, handle.start));
    handle.bytes = got < bytes.byteLength ? bytes.subarray(0, got) : bytes;
    if (request.fallback === undefined) return;
    if (!hasRightBytes(handle)) yield* step(this.#store.reject(digest, blob.stats));
    handle.verify = false;
  }

  /** Opens a blob by a hard link of the reader's own, or by its own name if none can be made. */
  async #openLink(digest: Digest): Promise<OpenBlob | undefined> {
    const { calls, folder, ingests, logger } = this.#store;
    if ((await this.#store.stat(digest)) === undefined) return undefined;
    const link = ingests.newPath(digest, "read");
    try {
      await calls.link(folder.blobPath(digest), link);
    } catch (error) {
      logger.warn("cannot link a blob to read it; reading it without a link", { digest, error });
      return await this.#store.open(digest);
    }
    const blob = await this.#store.openAt(link);
    if (blob === undefined) await calls.unlink(link);
    return blob && { ...blob, ownLinks: 1, link };
  }

  async #closeLinked(fd: number, link: string): Promise<void> {
    await this.#store.calls.close(fd);
    await this.#store.calls.unlink(link);
  }
}

function absentError(digest: Digest, root: string): MoteError {
  return new MoteError("MOTE_NOT_FOUND", `${digest} is not in the cache at ${root}`, { details: { digest } });
}
