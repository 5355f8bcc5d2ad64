import { closeSync, fstatSync, openSync, readSync, statSync, writeSync } from "node:fs";

// `mm_psize` and `mm_txnid` in a meta page of the data file (`MDB_meta` in mdb.c).
const pageSizeOffset = 48;
const committedOffset = 152;
// `mtb_txnid` in the lock file (`MDB_txbody`).
const publishedOffset = 8;
// LMDB's numbers have the byte order and word size of the machine.
const Ids = process.arch === "arm" || process.arch === "ia32" ? Uint32Array : BigUint64Array;
const idSize = Ids.BYTES_PER_ELEMENT;

/** Reads the id of the newest transaction from the two meta pages of LMDB's data file. */
export class CommittedTransaction {
  /** The inode of the data file. */
  readonly inode: number;
  readonly #fd: number;
  readonly #ids: Uint32Array | BigUint64Array;

  constructor(path: string) {
    this.#fd = openSync(path, "r");
    this.inode = fstatSync(this.#fd).ino;
    const pageSize = new Uint32Array(1);
    readSync(this.#fd, pageSize, 0, pageSize.byteLength, pageSizeOffset);
    this.#ids = new Ids((pageSize[0] ?? 0) / idSize + 1);
  }

  id(): number {
    const ids = this.#ids;
    readSync(this.#fd, ids, 0, ids.byteLength, committedOffset);
    return Math.max(Number(ids[0]), Number(ids[ids.length - 1]));
  }

  close(): void {
    closeSync(this.#fd);
  }
}

/**
 * Lock files by device and inode. They stay open: a process that closes any descriptor of a file loses all its locks on that
 * file, and LMDB has locked this one.
 */
const lockFiles = new Map<string, number>();

/**
 * Writes the id of the newest transaction to LMDB's lock file, where every process finds the state from which to start. LMDB's write
 * mutex must be locked.
 */
export function publishTransaction(lockFile: string, id: number): void {
  const { dev, ino } = statSync(lockFile);
  const key = `${dev}:${ino}`;
  const fd = lockFiles.get(key) ?? openSync(lockFile, "r+");
  lockFiles.set(key, fd);
  writeSync(
    fd,
    Ids === Uint32Array ? new Uint32Array([id]) : new BigUint64Array([BigInt(id)]),
    0,
    idSize,
    publishedOffset,
  );
}
