import type { Dir, Stats } from "node:fs";
import { opendir } from "node:fs/promises";
import { type Digest, type DigestAlgorithm, isDigest } from "@mote/core";
import type { BlobStore } from "./blob-store.js";
import { fileFault, isAbsent } from "./file-fault.js";

const namesAtOnce = 1024;

/** Every finished blob of a cache with its size and times, in the order of the folders, and no more memory than that takes. */
export class BlobTable {
  readonly #columns = new Map<
    DigestAlgorithm,
    { readonly first: number; names: Buffer; count: number; width: number }
  >();
  #sizes = new Float64Array(1024);
  #used = new Float64Array(1024);
  #links = new Uint32Array(1024);
  #inodes = new Float64Array(1024);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  static async scan(store: BlobStore, onBlob: (digest: Digest, index: number) => void, signal?: AbortSignal) {
    const table = new BlobTable();
    for await (const { digest, stats } of keptBlobs(store, signal)) {
      onBlob(digest, table.length);
      table.#push(digest, stats);
    }
    return table;
  }

  digestAt(index: number): Digest {
    for (const [algorithm, { first, names, count, width }] of this.#columns) {
      if (index >= first + count) continue;
      const digest = `${algorithm}:${names.toString("hex", (index - first) * width, (index - first + 1) * width)}`;
      if (isDigest(digest)) return digest;
    }
    throw new RangeError(`there is no blob number ${index}`);
  }

  /** Bytes. */
  sizeAt(index: number): number {
    return this.#sizes[index] ?? 0;
  }

  /** Unix milliseconds of its last use. */
  usedMsAt(index: number): number {
    return this.#used[index] ?? 0;
  }

  /** How many names the file has: removing this one frees nothing as long as there are others. */
  linksAt(index: number): number {
    return this.#links[index] ?? 0;
  }

  inodeAt(index: number): number {
    return this.#inodes[index] ?? 0;
  }

  #push(digest: Digest, stats: Stats): void {
    const index = this.#length++;
    if (index === this.#sizes.length) this.#grow();
    this.#sizes[index] = stats.size;
    this.#used[index] = stats.atimeMs;
    this.#links[index] = stats.nlink;
    this.#inodes[index] = stats.ino;
    const colon = digest.indexOf(":");
    const algorithm = digest.slice(0, colon) as DigestAlgorithm;
    const width = (digest.length - colon - 1) / 2;
    let column = this.#columns.get(algorithm);
    if (column === undefined) {
      column = { first: index, names: Buffer.alloc(1024 * width), count: 0, width };
      this.#columns.set(algorithm, column);
    }
    if (column.count * width === column.names.byteLength) {
      column.names = Buffer.concat([column.names], 2 * column.names.byteLength);
    }
    column.names.write(digest.slice(colon + 1), column.count++ * width, "hex");
  }

  #grow(): void {
    const double = <T extends Float64Array | Uint32Array>(from: T, to: T): T => {
      to.set(from);
      return to;
    };
    const length = 2 * this.#sizes.length;
    this.#sizes = double(this.#sizes, new Float64Array(length));
    this.#used = double(this.#used, new Float64Array(length));
    this.#links = double(this.#links, new Uint32Array(length));
    this.#inodes = double(this.#inodes, new Float64Array(length));
  }
}

/** The finished blobs, folder by folder. What is no blob is passed over. */
export async function* keptBlobs(
  store: BlobStore,
  signal?: AbortSignal,
): AsyncGenerator<{ readonly digest: Digest; readonly stats: Stats }, void, undefined> {
  for (const { algorithm, path } of store.folder.blobFolders()) {
    let entries: Dir;
    try {
      entries = await opendir(path, { bufferSize: namesAtOnce });
    } catch (error) {
      if (isAbsent(error)) continue;
      throw fileFault(error, "read", path);
    }
    for await (const { name } of entries) {
      signal?.throwIfAborted();
      await store.slices.pause();
      const digest = `${algorithm}:${name}`;
      if (!isDigest(digest)) continue;
      const stats = await store.stat(digest);
      if (stats !== undefined) yield { digest, stats };
    }
  }
}
