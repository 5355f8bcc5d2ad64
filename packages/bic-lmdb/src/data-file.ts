import { closeSync, fstatSync, openSync, readSync } from "node:fs";

/**
 * LMDB maps its file into memory without checking it, so a damaged file ends the process with a signal. Therefore the file is
 * checked first, by the layout of LMDB's data version 2 (`MDB_page_header`, `MDB_meta`, `MDB_node` in mdb.c).
 */
const magic = 0xbeefc0de;
const dataVersion = 2;
const headerSize = 24;
const metaSize = headerSize + 144;
const nodeSize = 8;
const pageFlags = { branch: 0x01, leaf: 0x02, overflow: 0x04, meta: 0x08 } as const;
const anyPage = 0x0f;
const bigData = 0x01;

// Pages checked in each tree: all of a small file, random ones of a large file.
const sampledPages = 256;
// After this many tries, concurrent writers have shown that the file is usable.
const maxTries = 20;

export type FileState =
  | { readonly state: "valid" | "new" }
  /** The file belongs to another version of LMDB or another program, and cannot be checked. */
  | { readonly state: "foreign"; readonly reason: string }
  | { readonly state: "damaged"; readonly reason: string };

interface Tree {
  /** Undefined if the tree is empty. */
  readonly root: number | undefined;
  readonly depth: number;
  /** Whether its keys are ordered by bytes. Those of the free list are numbers. */
  readonly isOrdered: boolean;
}

interface Meta {
  readonly pageSize: number;
  readonly lastPage: number;
  readonly transaction: number;
  readonly trees: readonly Tree[];
}

/** Checks the file at `path`, while other processes may write to it. */
export async function checkFile(path: string): Promise<FileState> {
  const fd = openSync(path, "r");
  try {
    for (let tries = 0; tries < maxTries; tries++) {
      const result = await checkPages(fd);
      if (typeof result !== "number") return result;
      // A writer may have reused a page meanwhile; the file is damaged only if no transaction was committed.
      const meta = readMeta(fd);
      if ("state" in meta) return meta;
      if (meta.transaction === result) return damaged("its pages are not consistent");
    }
    return { state: "valid" };
  } finally {
    closeSync(fd);
  }
}

/** Returns the state, or the id of the transaction whose trees are damaged. */
async function checkPages(fd: number): Promise<FileState | number> {
  const { size } = fstatSync(fd);
  if (size === 0) return { state: "new" };
  const meta = readMeta(fd);
  if ("state" in meta) return meta;
  for (const tree of meta.trees) {
    const pages = new TreePages(fd, { meta, tree, fileSize: size });
    if (!sample(tree, pages)) return meta.transaction;
    // The last pages may be missing in a valid file if none of them is in use.
    const isShort = (meta.lastPage + 1) * meta.pageSize > size;
    if (isShort && !(await isAllInFile(tree, pages))) return meta.transaction;
  }
  return { state: "valid" };
}

/** Returns the newer of the two meta pages. */
function readMeta(fd: number): Meta | FileState {
  const first = readMetaAt(fd, 0);
  if ("state" in first) return first;
  const second = readMetaAt(fd, first.pageSize);
  if ("state" in second) return second;
  return second.transaction > first.transaction ? second : first;
}

function readMetaAt(fd: number, position: number): Meta | FileState {
  const bytes = Buffer.alloc(metaSize);
  if (readSync(fd, bytes, 0, metaSize, position) < metaSize) return damaged("it is shorter than its two meta pages");
  const isMeta = (bytes.readUInt16LE(18) & pageFlags.meta) !== 0 && bytes.readUInt32LE(headerSize) === magic;
  if (!isMeta) return damaged("a meta page is not one of LMDB");
  const version = bytes.readUInt32LE(headerSize + 4) & 0xffff;
  if (version !== dataVersion) return { state: "foreign", reason: `its LMDB data version is ${version}` };
  const pageSize = bytes.readUInt32LE(48);
  const isPageSize = pageSize >= 256 && pageSize <= 65_536 && (pageSize & (pageSize - 1)) === 0;
  if (!isPageSize) return damaged(`its page size is ${pageSize}`);
  return {
    pageSize,
    lastPage: readCount(bytes, 144),
    transaction: readCount(bytes, 152),
    trees: [readTree(bytes, 48, false), readTree(bytes, 96, true)],
  };
}

function readTree(bytes: Buffer, at: number, isOrdered: boolean): Tree {
  const isEmpty = bytes.readUInt32LE(at + 40) === 0xffffffff && bytes.readUInt32LE(at + 44) === 0xffffffff;
  return { root: isEmpty ? undefined : readCount(bytes, at + 40), depth: bytes.readUInt16LE(at + 6), isOrdered };
}

// A 64-bit number above 2^53 is inexact, and larger than any valid value here.
function readCount(bytes: Buffer, at: number): number {
  return bytes.readUInt32LE(at) + bytes.readUInt32LE(at + 4) * 2 ** 32;
}

function damaged(reason: string): FileState {
  return { state: "damaged", reason };
}

/** Checks pages of the tree from its root, random ones if there are many. Returns false if one is not valid. */
function sample({ root, depth }: Tree, pages: TreePages): boolean {
  const queue = root === undefined ? [] : [{ page: root, level: 1 }];
  for (let seen = 0; seen < sampledPages; seen++) {
    const at = Math.floor(Math.random() * queue.length);
    const next = queue[at];
    const last = queue.pop();
    if (next === undefined || last === undefined) return true;
    if (at < queue.length) queue[at] = last;
    const children = pages.children(next.page, next.level === depth ? "leaf" : "branch");
    if (children === undefined) return false;
    for (const page of children) queue.push({ page, level: next.level + 1 });
  }
  return true;
}

/** Checks every branch page, which contain the numbers of all leaf pages. */
async function isAllInFile({ root, depth }: Tree, pages: TreePages): Promise<boolean> {
  const branches = root === undefined || depth < 2 ? [] : [{ page: root, level: 1 }];
  for (let seen = 1; ; seen++) {
    const next = branches.pop();
    if (next === undefined) return true;
    const children = pages.children(next.page, "branch");
    if (children === undefined) return false;
    const level = next.level + 1;
    if (level < depth) for (const page of children) branches.push({ page, level });
    if (seen % sampledPages === 0) await new Promise((resolve) => setImmediate(resolve));
  }
}

class TreePages {
  readonly #fd: number;
  readonly #meta: Meta;
  readonly #tree: Tree;
  readonly #fileSize: number;
  readonly #page: Buffer;

  constructor(fd: number, of: { readonly meta: Meta; readonly tree: Tree; readonly fileSize: number }) {
    this.#fd = fd;
    this.#meta = of.meta;
    this.#tree = of.tree;
    this.#fileSize = of.fileSize;
    this.#page = Buffer.alloc(of.meta.pageSize);
  }

  /** Returns the children of a branch page, an empty list for a leaf, or undefined if the page is not valid. */
  children(number: number, kind: "branch" | "leaf"): number[] | undefined {
    const page = this.#page;
    if (!this.#read(number, page) || readCount(page, 0) !== number) return undefined;
    if ((readShort(page, 18) & anyPage) !== pageFlags[kind]) return undefined;

    const space = page.length - headerSize;
    const lower = readShort(page, 20);
    const upper = readShort(page, 22);
    if (lower > upper || upper > space || lower % 2 !== 0 || lower === 0) return undefined;
    const children: number[] = [];
    let keyStart = 0;
    let keyEnd = 0;
    for (let at = 0; at < lower; at += 2) {
      const node = readShort(page, headerSize + at);
      const start = headerSize + node + nodeSize;
      if (node < upper || start > page.length) return undefined;
      const end = start + readShort(page, start - 2);
      if (end > page.length) return undefined;
      if (kind === "branch") {
        const child = page.readUInt32LE(start - nodeSize) + readShort(page, start - 4) * 2 ** 32;
        if (!this.#isInFile(child)) return undefined;
        children.push(child);
      } else if (!this.#hasData(start - nodeSize, end)) return undefined;
      // The first key of a branch may be empty: it stands for everything before the second.
      const hasBefore = kind === "leaf" ? at > 0 : at > 2;
      if (hasBefore && this.#tree.isOrdered && !isBefore(page, keyStart, keyEnd, start, end)) return undefined;
      keyStart = start;
      keyEnd = end;
    }
    return children;
  }

  /** Returns whether the data of a leaf node, which follows its key, is inside the file. */
  #hasData(node: number, at: number): boolean {
    const page = this.#page;
    const size = page.readUInt32LE(node);
    const isBig = (readShort(page, node + 4) & bigData) !== 0;
    if (!isBig) return at + size <= page.length;
    return at + 8 <= page.length && this.#isOverflow(readCount(page, at), size);
  }

  #isOverflow(number: number, size: number): boolean {
    const header = Buffer.alloc(headerSize);
    if (number * this.#meta.pageSize + headerSize + size > this.#fileSize || !this.#read(number, header)) return false;
    return readCount(header, 0) === number && (header.readUInt16LE(18) & anyPage) === pageFlags.overflow;
  }

  #isInFile(number: number): boolean {
    return number >= 2 && number <= this.#meta.lastPage && (number + 1) * this.#meta.pageSize <= this.#fileSize;
  }

  #read(number: number, into: Buffer): boolean {
    if (!this.#isInFile(number)) return false;
    return readSync(this.#fd, into, 0, into.length, number * this.#meta.pageSize) === into.length;
  }
}

function readShort(bytes: Uint8Array, at: number): number {
  return (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8);
}

// A loop instead of `Buffer.compare`: thousands of keys are compared, and they differ early.
function isBefore(bytes: Uint8Array, start: number, end: number, otherStart: number, otherEnd: number): boolean {
  const length = Math.min(end - start, otherEnd - otherStart);
  for (let at = 0; at < length; at++) {
    const difference = (bytes[start + at] ?? 0) - (bytes[otherStart + at] ?? 0);
    if (difference !== 0) return difference < 0;
  }
  return end - start < otherEnd - otherStart;
}
