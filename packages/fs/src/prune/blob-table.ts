import type { Dir, Stats } from "node:fs";
import {
  type Digest,
  type DigestAlgorithm,
  digestBytes,
  digestEncoded,
  isAbsent,
  isDigest,
  parseDigest,
} from "@mote/core";
import type { BlobStore } from "../blobs/blob-store.js";
import { listFolder } from "../disk/file-calls.js";
import { fileError } from "../disk/file-error.js";
import { notAhead } from "../disk/file-times.js";
import { namesUpTo, walkersAtHand, walkTogether } from "./blob-walk.js";
import { rowsInPage, type WalkedPage } from "./walk-worker.js";

/** Rows processed between two checks of the time. */
const rowsAtOnce = 1024;

/** From this many files in a folder on, several threads stat them. */
const manyFiles = 50_000;

/** The blobs of one algorithm, which are contiguous in the table. All pages are full but the last. */
interface Column {
  readonly algorithm: DigestAlgorithm;
  readonly first: number;
  readonly width: number;
  readonly pages: WalkedPage[];
  count: number;
}

/** Every finished blob of a cache with its size and times, in the order of the folders, stored compactly. */
export class BlobTable {
  readonly #columns: Column[] = [];
  /** Few files have other names. */
  readonly #linked = new Map<number, { readonly links: number; readonly inode: number }>();
  #length = 0;
  #totalSize = 0;

  get length(): number {
    return this.#length;
  }

  get totalSize(): number {
    return this.#totalSize;
  }

  static async scan(store: BlobStore, signal?: AbortSignal): Promise<BlobTable> {
    const table = new BlobTable();
    for (const { algorithm, path } of store.folder.blobFolders()) {
      const width = digestBytes(new Uint8Array(), algorithm).length - algorithm.length - 1;
      const column: Column = { algorithm, first: table.#length, width: width / 2, pages: [], count: 0 };
      try {
        await table.#scanFolder(store, column, path, signal);
      } catch (error) {
        if (!isAbsent(error)) throw fileError(error, "read", path);
      }
      if (column.count > 0) table.#columns.push(column);
      table.#length += column.count;
      for (const { sizes, count } of column.pages) {
        for (const size of sizes.subarray(0, count)) table.#totalSize += size;
        await store.yields.yieldAfterWork();
      }
    }
    return table;
  }

  digestAt(index: number): Digest {
    const column = this.#columnOf(index);
    const { names } = pageOf(column, index);
    const at = ((index - column.first) % rowsInPage) * column.width;
    const name = Buffer.from(names.buffer, at, column.width).toString("hex");
    return parseDigest(`${column.algorithm}:${name}`);
  }

  /** Returns the table indices of those digests in the set that are in the table. */
  async indicesOf(
    digests: ReadonlySet<Digest>,
    yieldIfDue: () => Promise<void> | undefined,
  ): Promise<Map<Digest, number>> {
    const found = new Map<Digest, number>();
    const beginnings = new Set([...digests].map((digest) => Number.parseInt(digestEncoded(digest).slice(0, 8), 16)));
    for (const { first, width, pages } of digests.size === 0 ? [] : this.#columns) {
      for (const [at, { names, count }] of pages.entries()) {
        const view = new DataView(names.buffer);
        for (let row = 0; row < count; row++) {
          // Most of them may be in the set, which takes longer.
          const turn = row % rowsAtOnce === 0 ? yieldIfDue() : undefined;
          if (turn !== undefined) await turn;
          if (!beginnings.has(view.getUint32(row * width))) continue;
          const index = first + at * rowsInPage + row;
          const digest = this.digestAt(index);
          if (digests.has(digest)) found.set(digest, index);
        }
      }
    }
    return found;
  }

  sizeAt(index: number): number {
    const column = this.#columnOf(index);
    return pageOf(column, index).sizes[(index - column.first) % rowsInPage] ?? 0;
  }

  /** Returns when it was last used, in Unix milliseconds; never in the future. */
  usedMsAt(index: number): number {
    const column = this.#columnOf(index);
    return pageOf(column, index).used[(index - column.first) % rowsInPage] ?? 0;
  }

  /** Returns the file's link count: removing one name frees nothing while others exist. */
  linksAt(index: number): number {
    return this.#linked.get(index)?.links ?? 1;
  }

  /** Returns undefined unless the file has other names. */
  inodeAt(index: number): number | undefined {
    return this.#linked.get(index)?.inode;
  }

  async #scanFolder(store: BlobStore, column: Column, path: string, signal: AbortSignal | undefined): Promise<void> {
    const most = walkersAtHand() === 0 ? Number.POSITIVE_INFINITY : manyFiles;
    const names = await namesUpTo(store, path, most, signal);
    if (names !== undefined) return await this.#lookAt(store, column, names, signal);
    try {
      const last: WalkedPage[] = [];
      const onPage = (page: WalkedPage) => {
        if (page.count === rowsInPage) this.#addPage(column, page);
        else last.push(page);
      };
      await walkTogether(path, column.width, onPage, signal);
      for (const page of last) this.#addRows(column, page);
    } catch (error) {
      signal?.throwIfAborted();
      store.logger.debug("threads could not look at the blobs: one does", { path, error });
      column.pages.length = 0;
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
      const turn = store.yields.yieldIfDue();
      if (turn !== undefined) await turn;
      const digest = `${column.algorithm}:${name}`;
      if (!isDigest(digest)) continue;
      const found = store.stat(digest);
      const stats = found instanceof Promise ? await found : found;
      if (stats === undefined) continue;
      const others = stats.nlink > 1 ? { links: stats.nlink, inode: stats.ino } : undefined;
      this.#addRow(column, Buffer.from(name, "hex"), { size: stats.size, usedMs: stats.atimeMs, others });
    }
  }

  #addPage(column: Column, page: WalkedPage): void {
    const nowMs = Date.now();
    for (let row = 0; row < page.count; row++) page.used[row] = notAhead(page.used[row] ?? 0, nowMs);
    for (const { row, ...others } of page.linked) this.#linked.set(column.first + column.count + row, others);
    column.pages.push(page);
    column.count += page.count;
  }

  #addRows(column: Column, { count, names, sizes, used, linked }: WalkedPage): void {
    const othersOf = new Map(linked.map(({ row, ...others }) => [row, others]));
    for (let row = 0; row < count; row++) {
      const name = names.subarray(row * column.width, (row + 1) * column.width);
      this.#addRow(column, name, { size: sizes[row] ?? 0, usedMs: used[row] ?? 0, others: othersOf.get(row) });
    }
  }

  #addRow(column: Column, name: Uint8Array, { size, usedMs, others }: BlobRow): void {
    const row = column.count % rowsInPage;
    if (row === 0) column.pages.push(newPage(column.width));
    const page = column.pages.at(-1);
    if (page === undefined) return;
    page.names.set(name, row * column.width);
    page.sizes[row] = size;
    page.used[row] = notAhead(usedMs);
    page.count++;
    if (others !== undefined) this.#linked.set(column.first + column.count, others);
    column.count++;
  }

  #columnOf(index: number): Column {
    for (const column of this.#columns) if (index < column.first + column.count) return column;
    throw new RangeError(`blob number ${index} does not exist`);
  }
}

interface BlobRow {
  readonly size: number;
  readonly usedMs: number;
  readonly others: { readonly links: number; readonly inode: number } | undefined;
}

function pageOf({ pages, first }: Column, index: number): WalkedPage {
  const page = pages[Math.floor((index - first) / rowsInPage)];
  if (page === undefined) throw new RangeError(`blob number ${index} does not exist`);
  return page;
}

function newPage(width: number): WalkedPage {
  return {
    count: 0,
    names: new Uint8Array(rowsInPage * width),
    sizes: new Float64Array(rowsInPage),
    used: new Float64Array(rowsInPage),
    linked: [],
  };
}

/** Lists the finished blobs, folder by folder. Skips other files. */
export async function* storedBlobs(
  store: BlobStore,
  signal?: AbortSignal,
): AsyncGenerator<{ readonly digest: Digest; readonly stats: Stats }, void, undefined> {
  for (const { algorithm, path } of store.folder.blobFolders()) {
    let entries: Dir;
    try {
      entries = await listFolder(path);
    } catch (error) {
      if (isAbsent(error)) continue;
      throw fileError(error, "read", path);
    }
    for await (const { name } of entries) {
      signal?.throwIfAborted();
      const turn = store.yields.yieldIfDue();
      if (turn !== undefined) await turn;
      const digest = `${algorithm}:${name}`;
      if (!isDigest(digest)) continue;
      const found = store.stat(digest);
      const stats = found instanceof Promise ? await found : found;
      if (stats !== undefined) yield { digest, stats };
    }
  }
}
