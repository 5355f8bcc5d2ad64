import { statSync } from "node:fs";
import {
  type BlobFact,
  type FactCounts,
  type FactReader,
  type FactRows,
  type FactStorage,
  nextSequence,
  type SequenceClock,
} from "@mote/core";
import type { RootDatabase } from "lmdb";
import { LmdbRows } from "./lmdb-rows.js";
import { RowReader, RowWriter } from "./row-bytes.js";

const countsKey = Buffer.from([1]);

/** Facts in an LMDB file that is open, checked and of this format. */
export class LmdbStorage implements FactStorage {
  readonly mode: "persistent" | "read-only";
  readonly #db: RootDatabase<Buffer, Buffer>;
  readonly #rows: LmdbRows;
  readonly #path: string;
  readonly #row = new RowWriter();
  #sequence = 0;

  constructor(db: RootDatabase<Buffer, Buffer>, options: { readonly path: string; readonly readOnly: boolean }) {
    this.#db = db;
    this.#rows = new LmdbRows(db);
    this.#path = options.path;
    this.mode = options.readOnly ? "read-only" : "persistent";
  }

  read(): FactReader {
    this.#db.resetReadTxn();
    return this.#rows;
  }

  write<Result>(change: (rows: FactRows, clock: SequenceClock) => Result): Result {
    try {
      return this.#db.transactionSync(() => {
        this.#readCounts();
        const result = change(this.#rows, this.#clock);
        this.#writeCounts();
        return result;
      });
    } catch (error) {
      this.#rows.forgetWrittenScopes();
      throw error;
    }
  }

  readonly #clock: SequenceClock = {
    next: (nowMs) => {
      this.#sequence = nextSequence(this.#sequence, nowMs);
      return this.#sequence;
    },
    reserve: (sequence) => {
      this.#sequence = Math.max(this.#sequence, sequence);
    },
  };

  chunks(size: number): Iterable<readonly BlobFact[]> {
    return this.#rows.chunks(size);
  }

  counts(): FactCounts {
    this.#db.resetReadTxn();
    this.#readCounts();
    return { ...this.#rows.counts };
  }

  sizeBytes(): number {
    return statSync(this.#path).size;
  }

  async close(): Promise<void> {
    await this.#db.close();
  }

  #readCounts(): void {
    const bytes = this.#db.getBinaryFast(countsKey);
    const reader = bytes === undefined ? undefined : new RowReader(bytes);
    this.#sequence = reader?.number() ?? 0;
    this.#rows.counts = {
      locations: reader?.number() ?? 0,
      absences: reader?.number() ?? 0,
      pairs: reader?.number() ?? 0,
      transformers: reader?.number() ?? 0,
    };
  }

  #writeCounts(): void {
    const { locations, absences, pairs, transformers } = this.#rows.counts;
    const row = this.#row.clear().number(this.#sequence);
    row.number(locations).number(absences).number(pairs).number(transformers);
    this.#db.putSync(countsKey, row.bytes);
  }
}
