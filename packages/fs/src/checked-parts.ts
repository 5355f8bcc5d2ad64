import { hash } from "node:crypto";
import type { Digest } from "@mote/core";
import { type BlobStore, corruptError, type OpenBlob } from "./blob-store.js";
import { chunkBytes, isKnown } from "./chunk-digests.js";
import { asynchronousCalls } from "./file-calls.js";

/** An open blob of which parts are read: each chunk is checked when it is first touched. */
export class CheckedParts {
  readonly #store: BlobStore;
  readonly #digest: Digest;
  readonly #blob: OpenBlob;
  readonly #known: Uint8Array;
  readonly #checked = new Set<number>();

  constructor(store: BlobStore, digest: Digest, blob: OpenBlob, known: Uint8Array) {
    this.#store = store;
    this.#digest = digest;
    this.#blob = blob;
    this.#known = known;
  }

  /** @throws MOTE_CORRUPT */
  async check(start: number, end: number): Promise<void> {
    for (let index = Math.floor(start / chunkBytes); index * chunkBytes < end; index++) {
      if (this.#checked.has(index)) continue;
      if (!(await this.#matches(index))) await this.#decide();
      this.#checked.add(index);
    }
  }

  async #matches(index: number): Promise<boolean> {
    const start = index * chunkBytes;
    const chunk = new Uint8Array(Math.min(chunkBytes, this.#blob.stats.size - start));
    const got = await asynchronousCalls.read(this.#blob.fd, chunk, start);
    if (got < chunk.byteLength) return false;
    return isKnown(this.#known, index, hash("sha256", chunk, "buffer"));
  }

  /** The blob's own digest says which of the two is damaged. */
  async #decide(): Promise<void> {
    const { chunkDigests } = this.#store;
    chunkDigests.remove(this.#digest);
    if (await this.#store.isSound(this.#digest, this.#blob, undefined)) return;
    await this.#store.setAside(this.#digest, this.#blob.stats);
    throw corruptError(this.#digest, this.#store.folder.blobPath(this.#digest));
  }
}

/** What parts of the blob can be checked against, if there is anything. */
export function checkedParts(store: BlobStore, digest: Digest, blob: OpenBlob): CheckedParts | undefined {
  if (blob.stats.size === 0) return undefined;
  const known = store.chunkDigests.load(digest, blob.stats.size);
  return known && new CheckedParts(store, digest, blob, known);
}
