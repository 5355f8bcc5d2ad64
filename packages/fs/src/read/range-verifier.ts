import { hash } from "node:crypto";
import type { Digest } from "@mote/core";
import type { BlobStore } from "../blobs/blob-store.js";
import { chunkBytes, fits, isKnown } from "../blobs/chunk-digests.js";
import type { OpenBlob } from "../blobs/open-blob.js";
import { asynchronousCalls } from "../disk/file-calls.js";
import { fileError } from "../disk/file-error.js";

/**
 * Verifies the ranges of an open blob that are read: each chunk on first access or, if the chunks' digests are not known or do
 * not match, the complete blob, once.
 */
export class RangeVerifier {
  readonly #store: BlobStore;
  readonly #digest: Digest;
  readonly #blob: OpenBlob;
  readonly #signal: AbortSignal | undefined;
  readonly #checked = new Set<number>();
  #known: Uint8Array | undefined;
  #complete: Promise<void> | undefined;

  constructor(
    store: BlobStore,
    digest: Digest,
    blob: OpenBlob,
    how: { readonly known: Uint8Array | undefined; readonly signal: AbortSignal | undefined },
  ) {
    this.#store = store;
    this.#digest = digest;
    this.#blob = blob;
    this.#known = how.known;
    this.#signal = how.signal;
  }

  /** @throws MOTE_CORRUPT after quarantining the blob */
  async check(start: number, end: number): Promise<void> {
    for (let index = Math.floor(start / chunkBytes); this.#known && index * chunkBytes < end; index++) {
      if (this.#checked.has(index)) continue;
      if (await this.#matches(this.#known, index)) {
        this.#checked.add(index);
      } else {
        // The blob's own digest decides which of the two is damaged.
        this.#known = undefined;
        this.#store.chunkDigests.remove(this.#digest);
      }
    }
    if (this.#known !== undefined) return;
    this.#complete ??= this.#checkComplete();
    await this.#complete;
  }

  async #matches(known: Uint8Array, index: number): Promise<boolean> {
    const start = index * chunkBytes;
    const chunk = new Uint8Array(Math.max(0, Math.min(chunkBytes, this.#blob.stats.size - start)));
    let got: number;
    try {
      got = await asynchronousCalls.read(this.#blob.fd, chunk, start);
    } catch (error) {
      throw fileError(error, "read", this.#store.folder.blobPath(this.#digest));
    }
    return got === chunk.byteLength && isKnown(known, index, hash("sha256", chunk, "buffer"));
  }

  async #checkComplete(): Promise<void> {
    if (await this.#store.rehash(this.#digest, this.#blob, this.#signal)) return;
    await this.#store.reject(this.#digest, this.#blob.stats);
  }
}

/**
 * Returns a verifier for ranges of a blob: a blob of one chunk by its own digest, a larger one by its chunks' digests. Undefined if those
 * are not known and the blob was verified since it last changed.
 */
export function rangeVerifier(
  store: BlobStore,
  digest: Digest,
  blob: OpenBlob,
  signal: AbortSignal | undefined,
): RangeVerifier | undefined {
  const { size } = blob.stats;
  const known = size > chunkBytes ? store.chunkDigests.load(digest) : undefined;
  if (known === undefined && size > chunkBytes && store.isUnchanged(digest, blob)) return undefined;
  return new RangeVerifier(store, digest, blob, { known: known && fits(known, size) ? known : undefined, signal });
}
