import { statSync } from "node:fs";
import { setImmediate as nextTurn } from "node:timers/promises";
import {
  type Awaitable,
  type BlobFact,
  type FactCounts,
  type FactReader,
  type FactRows,
  type FactStorage,
  type SequenceClock,
  SequenceCounter,
} from "@mote/bic";
import { hasCode, MoteError, type MoteErrorCode } from "@mote/core";
import type { RootDatabase } from "lmdb";
import { LmdbRows } from "./lmdb-rows.js";
import { environmentOf } from "./reader-slot.js";
import { RowReader, RowWriter } from "./row-bytes.js";
import { setAside } from "./set-aside.js";
import { isDiskFull, storageError, unsupported } from "./storage-error.js";
import { writeTransaction } from "./write-transaction.js";
import type { WriterMark } from "./writer-mark.js";

const formatKey = Buffer.from([0]);
const countsKey = Buffer.from([1]);
const formatName = "mote-blob-info";
const formatVersion = 1;

const checkedRows = 250;

// Milliseconds. A process with the same id in another container waits for this one to close the file.
const idleMs = 100;

// Milliseconds that a write waits for a transaction of another process, which takes some milliseconds, more on a slow disk.
const longestWaitMs = 5_000;

// Milliseconds after which a look-up checks again that the file at the path is the open one. Every record checks it.
const presenceCheckMs = 1_000;

export interface LmdbStorageOptions {
  readonly path: string;
  /** Undefined if the file is read-only. */
  readonly mark: WriterMark | undefined;
  /** Returns lmdb's id of the transaction that was last read from, modulo 2^32. */
  readonly lastReadTransaction: () => number;
  /** Checks the file again after it was closed. */
  readonly isDamaged: () => Promise<boolean>;
}

/** Stores facts in an open, checked LMDB file. */
export class LmdbStorage implements FactStorage {
  readonly mode: "persistent" | "read-only";
  readonly idleMs = idleMs;
  readonly #db: RootDatabase<Buffer, Buffer>;
  readonly #rows: LmdbRows;
  readonly #path: string;
  readonly #inode: number;
  readonly #row = new RowWriter();
  readonly #clock = new SequenceCounter();
  #presentUntil = 0;
  readonly #options: LmdbStorageOptions;
  #seemsDamaged = false;

  constructor(db: RootDatabase<Buffer, Buffer>, options: LmdbStorageOptions) {
    this.#db = db;
    this.#rows = new LmdbRows(db);
    this.#options = options;
    this.#path = options.path;
    this.#inode = statSync(options.path).ino;
    this.mode = options.mark === undefined ? "read-only" : "persistent";
  }

  /**
   * Writes the format into a new file, and checks it in an existing one.
   * @throws MOTE_UNSUPPORTED_FORMAT
   */
  initialize(): void {
    const { mark, lastReadTransaction } = this.#options;
    this.#guard(() => {
      const newest = mark?.newestTransaction() ?? 0;
      const isNew = this.#db.getBinary(formatKey) === undefined;
      // Opening the file may have made look-ups see an older state, which a transaction corrects.
      const isBehind = lastReadTransaction() < newest % 2 ** 32;
      if (mark !== undefined && (isNew || isBehind)) this.#transact(mark, () => this.#markFormat());
      this.#checkFormat();
    });
  }

  #transact<Result>(mark: WriterMark, change: () => Result): Result {
    return writeTransaction(this.#db, { path: this.#path, mark, change });
  }

  #markFormat(): void {
    this.#checkFormat();
    this.#db.putSync(formatKey, Buffer.from(this.#row.clear().text(formatName).number(formatVersion).bytes));
  }

  #checkFormat(): void {
    const bytes = this.#db.getBinary(formatKey);
    if (bytes === undefined && isEmpty(this.#db)) return;
    const reader = bytes === undefined ? undefined : new RowReader(bytes);
    if (reader?.text() !== formatName) throw unsupported(this.#path, "it is a database of another program");
    const version = reader.number();
    if (version !== formatVersion)
      throw unsupported(this.#path, `its format version is ${version}, and this release reads ${formatVersion}`);
  }

  read<Result>(query: (rows: FactReader) => Result): Result {
    if (performance.now() > this.#presentUntil) this.#checkPresence();
    return this.#guard(() => {
      this.#db.resetReadTxn();
      return query(this.#rows);
    });
  }

  write<Result>(change: (rows: FactRows, clock: SequenceClock) => Result): Awaitable<Result> {
    const { mark } = this.#options;
    if (mark === undefined) {
      throw this.#error(
        "MOTE_UNWRITABLE",
        `cannot record in ${this.#path}: the file is read-only; check its permissions`,
      );
    }
    if (mark.holder() === undefined) return this.#writeNow(mark, change);
    return mark.released(environmentOf(this.#db), longestWaitMs).then(() => this.#writeNow(mark, change));
  }

  #writeNow<Result>(mark: WriterMark, change: (rows: FactRows, clock: SequenceClock) => Result): Result {
    this.#checkPresence();
    this.#checkSpace();
    try {
      return this.#guard(() =>
        this.#transact(mark, () => {
          this.#readCounts();
          const result = change(this.#rows, this.#clock);
          this.#writeCounts();
          return result;
        }),
      );
    } catch (error) {
      this.#rows.clearScopes();
      throw error;
    }
  }

  *chunks(size: number): Generator<readonly BlobFact[]> {
    const chunks = this.#rows.chunks(size);
    for (;;) {
      const { value, done } = this.#guard(() => chunks.next());
      if (done) return;
      yield value;
    }
  }

  counts(): FactCounts {
    return this.#guard(() => {
      this.#db.resetReadTxn();
      this.#readCounts();
      return { ...this.#rows.counts };
    });
  }

  sizeBytes(): number {
    return statSync(this.#path, { throwIfNoEntry: false })?.size ?? 0;
  }

  /**
   * Reads every row, and runs a transaction.
   * @throws MOTE_CORRUPT
   */
  async check(): Promise<void> {
    this.#guard(() => this.#checkFormat());
    for (const _ of this.chunks(checkedRows)) await nextTurn();
    if (this.mode === "persistent") await this.write(() => undefined);
  }

  async close(): Promise<void> {
    try {
      await this.release();
    } finally {
      if (this.#seemsDamaged) {
        await setAside(this.#path, async () => this.#isPresent() && (await this.#options.isDamaged()));
      }
    }
  }

  /** Closes the file without checking it for damage. */
  async release(): Promise<void> {
    await this.#db.close();
    this.#options.mark?.close();
  }

  // Another process may have renamed or removed the file, and records in it would be lost.
  #checkPresence(): void {
    if (!this.#isPresent()) throw this.#error("MOTE_CORRUPT", `${this.#path} has been replaced or removed`);
    this.#presentUntil = performance.now() + presenceCheckMs;
  }

  // LMDB also prints a full disk to stderr, so the space is checked before.
  #checkSpace(): void {
    if (!isDiskFull(this.#path)) return;
    throw this.#error("MOTE_NO_SPACE", `cannot record in ${this.#path}: the disk is full; free disk space and retry`);
  }

  #error(code: MoteErrorCode, message: string): MoteError {
    return new MoteError(code, message, { details: { path: this.#path } });
  }

  #isPresent(): boolean {
    return statSync(this.#path, { throwIfNoEntry: false })?.ino === this.#inode;
  }

  #guard<Result>(action: () => Result): Result {
    try {
      return action();
    } catch (cause) {
      const error = storageError(cause, this.#path);
      if (hasCode(error, "MOTE_CORRUPT")) this.#seemsDamaged = true;
      throw error;
    }
  }

  #readCounts(): void {
    const bytes = this.#db.getBinaryFast(countsKey);
    const reader = bytes === undefined ? undefined : new RowReader(bytes);
    this.#clock.last = reader?.number() ?? 0;
    this.#rows.counts = {
      locations: reader?.number() ?? 0,
      negativeRecords: reader?.number() ?? 0,
      pairs: reader?.number() ?? 0,
      transformers: reader?.number() ?? 0,
    };
  }

  #writeCounts(): void {
    const { locations, negativeRecords, pairs, transformers } = this.#rows.counts;
    const row = this.#row.clear().number(this.#clock.last);
    row.number(locations).number(negativeRecords).number(pairs).number(transformers);
    this.#db.putSync(countsKey, row.bytes);
  }
}

function isEmpty(db: RootDatabase<Buffer, Buffer>): boolean {
  return db.getKeysCount({ start: Buffer.from([0]), limit: 1 }) === 0;
}
