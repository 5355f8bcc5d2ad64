import type { BlobInfoStatistics } from "@mote/core";
import { type BlobFact, type LocationFact, nextSequence } from "./blob-fact.js";
import type { FactReader, FactRows } from "./fact-rows.js";

export type FactCounts = Pick<BlobInfoStatistics, "locations" | "negativeRecords" | "pairs" | "transformers">;

/** A result that an in-process storage returns synchronously and a remote one as a promise. */
export type Awaitable<Result> = Result | Promise<Result>;

/**
 * Stores the facts of a `StoredBlobInfoCache`, which applies the rules. A storage that is damaged, or that another process has
 * replaced, throws MOTE_CORRUPT, and one that other processes use for too long MOTE_TIMEOUT; it is then closed and opened again.
 *
 * `query` and `change` are synchronous, affect only `rows` and `clock`, and may be called more than once; only the last call
 * counts. A remote storage can therefore call them on the rows that it has, fetch the missing ones in one round trip, call them
 * again, and send the changes in one message, which the server applies if the rows have not changed since they were fetched.
 */
export interface FactStorage {
  readonly mode: BlobInfoStatistics["mode"];
  /** Milliseconds without use after which the storage is closed, because other processes may wait for it. The next use opens it again. */
  readonly idleMs?: number;
  /** Runs `query` on the current facts, including those that other processes recorded. */
  read<Result>(query: (rows: FactReader) => Result): Awaitable<Result>;
  /**
   * Runs `change` as one transaction, which is rolled back if `change` throws. The result is returned when the changes are
   * durable. The sequences of `clock` grow with each call, over all processes.
   * @throws MOTE_UNWRITABLE · MOTE_NO_SPACE · MOTE_CORRUPT · MOTE_TIMEOUT · MOTE_IO
   */
  write<Result>(change: (rows: FactRows, clock: SequenceClock) => Result): Awaitable<Result>;
  /**
   * Records locations, as `write` with `applyFact` does, in this order and with new sequences instead of theirs. Only a storage whose server
   * applies the rule for locations has it. It is called again before the last call has ended, with at most 512 facts a call.
   * @throws as `write`
   */
  recordLocations?(facts: readonly LocationFact[]): Promise<void>;
  /** Yields all facts, about `size` at a time. Facts may be written between two chunks. */
  chunks(size: number): Iterable<readonly BlobFact[]> | AsyncIterable<readonly BlobFact[]>;
  counts(): Awaitable<FactCounts>;
  sizeBytes(): Awaitable<number>;
  close(): Promise<void>;
}

/** Issues the sequences of new facts. */
export interface SequenceClock {
  /** Returns the next sequence, at the time `nowMs` in Unix milliseconds. */
  next(nowMs: number): number;
  /** Keeps later sequences above one that came from another storage. */
  reserve(sequence: number): void;
}

/** Issues the sequences after `last`. */
export class SequenceCounter implements SequenceClock {
  last = 0;

  next(nowMs: number): number {
    this.last = nextSequence(this.last, nowMs);
    return this.last;
  }

  reserve(sequence: number): void {
    this.last = Math.max(this.last, sequence);
  }
}
