import type { Dir, Stats } from "node:fs";
import { type Digest, type DigestAlgorithm, digestBytes, digestEncoded, isDigest, parseDigest } from "@mote/core";
import type { BlobStore } from "./blob-store.js";
import { namesUpTo, walkersAtHand, walkTogether } from "./blob-walk.js";
import { listFolder } from "./file-calls.js";
import { fileFault, isAbsent } from "./file-fault.js";
import type { WalkedPage } from "./walk-worker.js";

/** From this many files in a folder on, several threads look at them. */
const manyFiles = 50_000;
const rowsInBlock = 4096;

/** The digests of one algorithm, which stand one after another in the table. */
interface Column {
  readonly algorithm: DigestAlgorithm;
  readonly first: number;
  /** Bytes of a digest. */
  readonly width: number;
  readonly blocks: Buffer[];
  count: number;
}

/** Every finished blob of a cache with its size and times, in the order of the folders, and no more memory than that takes. */
export class BlobTable {
  readonly #columns: Column[] = [];
  #sizes = new Float64Array(1024);
  #used = new Float64Array(1024);
  /** Few files have other names. */
  readonly #linked = new Map<number, { readonly links: number; readonly inode: number }>();
  #length = 0;

  get length(): number {
    return this.#length;
  }

  static async scan(store: BlobStore, signal?: AbortSignal): Promise<BlobTable> {
    const table = new BlobTable();
    for (const { algorithm, path } of store.folder.blobFolders()) {
      try {
        await table.#scanFolder(store, algorithm, path, signal);
      } catch (error) {
        if (!isAbsent(error)) throw fileFault(error, "read", path);
      }
    }
    return table;
  }

  digestAt(index: number): Digest {
    const column = this.#columns.find(({ first, count }) => index >= first && index < first + count);
    if (column === undefined) throw new RangeError(`there is no blob number ${index}`);
    const { algorithm, first, width, blocks } = column;
    const row = index - first;
    const at = (row % rowsInBlock) * width;
    return parseDigest(`${algorithm}:${blocks[Math.floor(row / rowsInBlock)]?.toString("hex", at, at + width)}`);
  }

  /** Where the digests of the set are, as far as they are in the table. */
  async indicesOf(digests: ReadonlySet<Digest>, pause: () => Promise<void> | undefined): Promise<Map<Digest, number>> {
    const found = new Map<Digest, number>();
    const beginnings = new Set([...digests].map((digest) => Number.parseInt(digestEncoded(digest).slice(0, 8), 16)));
    for (const { first, width, blocks, count } of digests.size === 0 ? [] : this.#columns) {
      for (let row = 0; row < count; row++) {
        if (row % rowsInBlock === 0) await pause();
        const beginning = blocks[Math.floor(row / rowsInBlock)]?.readUInt32BE((row % rowsInBlock) * width);
        if (beginning === undefined || !beginnings.has(beginning)) continue;
        const digest = this.digestAt(first + row);
        if (digests.has(digest)) found.set(digest, first + row);
      }
    }
    return found;
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
    return this.#linked.get(index)?.links ?? 1;
  }

  /** Known only of files that have other names. */
  inodeAt(index: number): number | undefined {
    return this.#linked.get(index)?.inode;
  }

  async #scanFolder(
    store: BlobStore,
    algorithm: DigestAlgorithm,
    path: string,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const width = digestBytes(new Uint8Array(), algorithm).length - algorithm.length - 1;
    const column: Column = { algorithm, first: this.#length, width: width / 2, blocks: [], count: 0 };
    this.#columns.push(column);
    const most = walkersAtHand() === 0 ? Number.POSITIVE_INFINITY : manyFiles;
    const names = await namesUpTo(store, path, most, signal);
    if (names !== undefined) return await this.#lookAt(store, column, names, signal);
    try {
      await walkTogether(path, column.width, (page) => this.#append(column, page), signal);
    } catch (error) {
      signal?.throwIfAborted();
      store.logger.debug("threads could not look at the blobs: one does", { path, error });
      this.#length = column.first;
      column.count = 0;
      const all = await namesUpTo(store, path, Number.POSITIVE_INFINITY, signal);
      await this.#lookAt(store, column, all ?? [], signal);
    }
  }

  async #lookAt(
    store: BlobStore,
    column: Column,
    names: readonly string[],
    signal: AbortSignal | undefined,
  ): Promise<void> {
    for (const name of names) {
      signal?.throwIfAborted();
      const turn = store.slices.pause();
      if (turn !== undefined) await turn;
      const digest = `${column.algorithm}:${name}`;
      if (!isDigest(digest)) continue;
      const found = store.stat(digest);
      const stats = found instanceof Promise ? await found : found;
      if (stats === undefined) continue;
      this.#room(column).write(name, (column.count++ % rowsInBlock) * column.width, "hex");
      if (stats.nlink > 1) this.#linked.set(this.#length, { links: stats.nlink, inode: stats.ino });
      this.#push(stats.size, stats.atimeMs);
    }
  }

  #append(column: Column, { count, names, sizes, used, linked }: WalkedPage): void {
    for (const { row, links, inode } of linked) this.#linked.set(this.#length + row, { links, inode });
    for (let row = 0; row < count; row++) {
      const name = names.subarray(row * column.width, (row + 1) * column.width);
      this.#room(column).set(name, (column.count++ % rowsInBlock) * column.width);
      this.#push(sizes[row] ?? 0, used[row] ?? 0);
    }
  }

  /** The block that the column's next row is written to. */
  #room({ blocks, count, width }: Column): Buffer {
    const block = blocks[Math.floor(count / rowsInBlock)] ?? Buffer.alloc(rowsInBlock * width);
    if (count % rowsInBlock === 0) blocks[count / rowsInBlock] = block;
    return block;
  }

  #push(size: number, usedMs: number): void {
    const index = this.#length++;
    if (index === this.#sizes.length) this.#grow();
    this.#sizes[index] = size;
    this.#used[index] = usedMs;
  }

  #grow(): void {
    const double = (from: Float64Array<ArrayBuffer>): Float64Array<ArrayBuffer> => {
      const to = new Float64Array(2 * from.length);
      to.set(from);
      return to;
    };
    this.#sizes = double(this.#sizes);
    this.#used = double(this.#used);
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
      entries = await listFolder(path);
    } catch (error) {
      if (isAbsent(error)) continue;
      throw fileFault(error, "read", path);
    }
    for await (const { name } of entries) {
      signal?.throwIfAborted();
      const turn = store.slices.pause();
      if (turn !== undefined) await turn;
      const digest = `${algorithm}:${name}`;
      if (!isDigest(digest)) continue;
      const found = store.stat(digest);
      const stats = found instanceof Promise ? await found : found;
      if (stats !== undefined) yield { digest, stats };
    }
  }
}
