import type { BlobInfoStatistics } from "@mote/core";
import type { BlobFact } from "./blob-fact.js";
import type { FactReader, FactRows } from "./fact-rows.js";

export type FactCounts = Pick<BlobInfoStatistics, "locations" | "absences" | "pairs" | "transformers">;

/**
 * Where `StoredBlobInfoCache` keeps its facts. Implement this, and the rules of a blob-info cache come with that class. All but
 * `close` is short and synchronous. A storage that is damaged, or that others have replaced, throws MOTE_CORRUPT: it is then
 * closed, and another one opened.
 */
export interface FactStorage {
  readonly mode: BlobInfoStatistics["mode"];
  /** Milliseconds without use after which it is closed, to be opened again at the next use: others may wait for it. */
  readonly idleMs?: number;
  /** Gives `look` the facts as they are now, by whatever process they were recorded. */
  read<Result>(look: (rows: FactReader) => Result): Result;
  /**
   * Runs `change` as one transaction: what it throws leaves nothing behind, and what was written is durable on return. What
   * `sequence` gives grows from call to call, over all processes; to `reserve` keeps it above a fact that came from elsewhere.
   * @throws MOTE_UNWRITABLE · MOTE_NO_SPACE · MOTE_CORRUPT · MOTE_IO
   */
  write<Result>(change: (rows: FactRows, clock: SequenceClock) => Result): Result;
  /** All facts, some at a time; others may write between two steps. */
  chunks(size: number): Iterable<readonly BlobFact[]>;
  counts(): FactCounts;
  sizeBytes(): number;
  close(): Promise<void>;
}

/** Gives facts their place in the order of time. */
export interface SequenceClock {
  next(nowMs: number): number;
  reserve(sequence: number): void;
}
