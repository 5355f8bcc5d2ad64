import type { BlobInfoStatistics } from "@mote/core";
import type { BlobFact } from "./blob-fact.js";
import type { FactReader, FactRows } from "./fact-rows.js";

export type FactCounts = Pick<BlobInfoStatistics, "locations" | "absences" | "pairs" | "transformers">;

/** What a storage in this process returns at once, and one on a server later. */
export type Awaitable<Result> = Result | Promise<Result>;

/**
 * Where `StoredBlobInfoCache` stores its facts. Implement this, and the rules of a blob-info cache come with that class. A storage
 * that is damaged, or that others have replaced, throws MOTE_CORRUPT: it is then closed, and another one opened.
 *
 * `look` and `change` are synchronous, have no effect but on `rows` and `clock`, and may be called more than once; the last call
 * counts. So a storage on a server calls them on the rows that it has, fetches the ones that were missing in one round trip, calls
 * them again, and sends what was changed in one message that the server applies if the rows are still as they were fetched.
 */
export interface FactStorage {
  readonly mode: BlobInfoStatistics["mode"];
  /** Milliseconds without use after which it is closed, to be opened again at the next use: other processes may wait for it. */
  readonly idleMs?: number;
  /** Gives `look` the facts as they are now, whichever process recorded them. */
  read<Result>(look: (rows: FactReader) => Result): Awaitable<Result>;
  /**
   * Runs `change` as one transaction: what it throws leaves nothing behind, and what was written is durable when the result is
   * there. The sequences that `clock` gives grow from call to call, over all processes.
   * @throws MOTE_UNWRITABLE · MOTE_NO_SPACE · MOTE_CORRUPT · MOTE_IO
   */
  write<Result>(change: (rows: FactRows, clock: SequenceClock) => Result): Awaitable<Result>;
  /** Yields all facts, about `size` at a time; others may write between two steps. */
  chunks(size: number): Iterable<readonly BlobFact[]> | AsyncIterable<readonly BlobFact[]>;
  counts(): Awaitable<FactCounts>;
  sizeBytes(): Awaitable<number>;
  close(): Promise<void>;
}

/** Gives facts their place in the order of time. */
export interface SequenceClock {
  next(nowMs: number): number;
  /** Keeps what `next` gives above a sequence that came from elsewhere. */
  reserve(sequence: number): void;
}
