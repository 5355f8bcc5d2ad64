import { closeSync, fstatSync, openSync, readSync } from "node:fs";

/**
 * LMDB maps its file into memory and trusts it: a damaged one ends the process with a signal. So the file is looked at first,
 * by the layout of LMDB's data version 2 (`MDB_page_header`, `MDB_meta`, `MDB_node` in mdb.c).
 */
const magic = 0xbeefc0de;
const dataVersion = 2;
const headerSize = 24;
const metaSize = headerSize + 144;
const noPage = 2n ** 64n - 1n;
const pageFlags = { branch: 0x01, leaf: 0x02, overflow: 0x04, meta: 0x08 } as const;
const bigData = 0x01;

/** Pages of each tree that are looked at: all of a small file, some at random of a large one. */
const sampledPages = 64;
/** After so many the writers that come between have shown that the file can be used. */
const maxTries = 20;
/** Pages looked at between two turns of the event loop, where all are. */
const pagesPerTurn = 256;

export type FileVerdict =
  | { readonly state: "sound" | "new" }
  /** Of another version of LMDB, so not ours to judge. */
  | { readonly state: "foreign"; readonly reason: string }
  | { readonly state: "damaged"; readonly reason: string };

interface Meta {
  readonly pageSize: number;
  readonly lastPage: bigint;
  readonly transaction: bigint;
  readonly trees: readonly { readonly root: bigint; readonly depth: number }[];
}

/** Looks at the file at `path`. Other processes may be writing to it. */
export async function judgeFile(path: string): Promise<FileVerdict> {
  const fd = openSync(path, "r");
  try {
    for (let tries = 0; tries < maxTries; tries++) {
      const verdict = await judge(fd);
      if (typeof verdict !== "bigint") return verdict;
      // Damage may be a page that a writer has reused since; it is damage only if nothing was written meanwhile.
      const again = readMeta(fd);
      if ("state" in again) return again;
      if (again.transaction === verdict) return { state: "damaged", reason: "its pages do not hang together" };
    }
    return { state: "sound" };
  } finally {
    closeSync(fd);
  }
}

/** A verdict, or the transaction by which the trees are damaged. */
async function judge(fd: number): Promise<FileVerdict | bigint> {
  const { size } = fstatSync(fd);
  if (size === 0) return { state: "new" };
  const meta = readMeta(fd);
  if ("state" in meta) return meta;
  // The last pages may be missing from a sound file, if none of them is in use; then every page is looked at.
  const isShort = (meta.lastPage + 1n) * BigInt(meta.pageSize) > BigInt(size);
  const pages = new Pages(fd, meta, size);
  for (const { root, depth } of meta.trees) {
    if (root === noPage) continue;
    const isSound = await walk(pages, { root, depth, most: isShort ? Number.POSITIVE_INFINITY : sampledPages });
    if (!isSound) return meta.transaction;
  }
  return { state: "sound" };
}

/** The newer of the two meta pages. */
function readMeta(fd: number): Meta | FileVerdict {
  const first = readMetaAt(fd, 0);
  if ("state" in first) return first;
  const second = readMetaAt(fd, first.pageSize);
  if ("state" in second) return second;
  return second.transaction > first.transaction ? second : first;
}

function readMetaAt(fd: number, position: number): Meta | FileVerdict {
  const bytes = Buffer.alloc(metaSize);
  if (readSync(fd, bytes, 0, metaSize, position) < metaSize) return damaged("it is shorter than its two meta pages");
  const isMeta = (bytes.readUInt16LE(18) & pageFlags.meta) !== 0 && bytes.readUInt32LE(headerSize) === magic;
  if (!isMeta) return damaged("a meta page is no meta page of LMDB");
  const version = bytes.readUInt32LE(headerSize + 4) & 0xffff;
  if (version !== dataVersion) return { state: "foreign", reason: `it is of LMDB's data version ${version}` };
  const pageSize = bytes.readUInt32LE(48);
  const isPageSize = pageSize >= 256 && pageSize <= 65_536 && (pageSize & (pageSize - 1)) === 0;
  if (!isPageSize) return damaged(`its page size is ${pageSize}`);
  return {
    pageSize,
    lastPage: bytes.readBigUInt64LE(144),
    transaction: bytes.readBigUInt64LE(152),
    trees: [48, 96].map((at) => ({ depth: bytes.readUInt16LE(at + 6), root: bytes.readBigUInt64LE(at + 40) })),
  };
}

function damaged(reason: string): FileVerdict {
  return { state: "damaged", reason };
}

/** Walks a tree from its root, at random where it is larger than `most` pages. False at the first page that cannot be one. */
async function walk(
  pages: Pages,
  { root, depth, most }: { readonly root: bigint; readonly depth: number; readonly most: number },
): Promise<boolean> {
  const waiting = [{ page: root, level: 1 }];
  for (let seen = 0; seen < most; seen++) {
    const at = most === Number.POSITIVE_INFINITY ? waiting.length - 1 : Math.floor(Math.random() * waiting.length);
    const next = waiting[at];
    const last = waiting.pop();
    if (next === undefined || last === undefined) return true;
    if (at < waiting.length) waiting[at] = last;
    const children = pages.children(next.page, next.level === depth);
    if (children === undefined) return false;
    for (const page of children) waiting.push({ page, level: next.level + 1 });
    if ((seen + 1) % pagesPerTurn === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  return true;
}

class Pages {
  readonly #fd: number;
  readonly #meta: Meta;
  readonly #fileSize: number;
  readonly #page: Buffer;

  constructor(fd: number, meta: Meta, fileSize: number) {
    this.#fd = fd;
    this.#meta = meta;
    this.#fileSize = fileSize;
    this.#page = Buffer.alloc(meta.pageSize);
  }

  /** The pages below a branch page; none below a leaf. Undefined where the page is not what it should be. */
  children(number: bigint, isLeaf: boolean): bigint[] | undefined {
    const page = this.#page;
    if (!this.#read(number, page) || page.readBigUInt64LE(0) !== number) return undefined;
    const kind = page.readUInt16LE(18) & (pageFlags.branch | pageFlags.leaf | pageFlags.overflow | pageFlags.meta);
    if (kind !== (isLeaf ? pageFlags.leaf : pageFlags.branch)) return undefined;

    const room = page.length - headerSize;
    const lower = page.readUInt16LE(20);
    const upper = page.readUInt16LE(22);
    if (lower > upper || upper > room || lower % 2 !== 0 || lower === 0) return undefined;
    const children: bigint[] = [];
    for (let at = 0; at < lower; at += 2) {
      const node = page.readUInt16LE(headerSize + at);
      if (node < upper || node + 8 > room) return undefined;
      const child = this.#readNode(headerSize + node, isLeaf);
      if (child === undefined) return undefined;
      if (child !== noPage) children.push(child);
    }
    return children;
  }

  /** The page below a node of a branch; `noPage` for a node of a leaf whose data can be there. */
  #readNode(at: number, isLeaf: boolean): bigint | undefined {
    const page = this.#page;
    const low = page.readUInt32LE(at);
    const flags = page.readUInt16LE(at + 4);
    const dataAt = at + 8 + page.readUInt16LE(at + 6);
    if (!isLeaf) return dataAt <= page.length ? BigInt(low) + (BigInt(flags) << 32n) : undefined;
    if ((flags & bigData) === 0) return dataAt + low <= page.length ? noPage : undefined;
    return dataAt + 8 <= page.length && this.#isOverflow(page.readBigUInt64LE(dataAt), low) ? noPage : undefined;
  }

  #isOverflow(number: bigint, dataSize: number): boolean {
    const header = Buffer.alloc(headerSize);
    const end = Number(number) * this.#meta.pageSize + headerSize + dataSize;
    if (end > this.#fileSize || !this.#read(number, header)) return false;
    return header.readBigUInt64LE(0) === number && (header.readUInt16LE(18) & pageFlags.overflow) !== 0;
  }

  #read(number: bigint, into: Buffer): boolean {
    if (number < 2n || number > this.#meta.lastPage) return false;
    return readSync(this.#fd, into, 0, into.length, Number(number) * this.#meta.pageSize) === into.length;
  }
}
