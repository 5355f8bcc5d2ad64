import { type ApplyOptions, applyFact } from "./apply-fact.js";
import type { BlobFact } from "./blob-fact.js";
import type { FactRows } from "./fact-rows.js";
import type { SequenceClock } from "./fact-storage.js";
import { yieldToEventLoop } from "./yield-to-event-loop.js";

/** A fact whose sequence is set when it is written. */
export type NewFact = BlobFact & { sequence: number };

/** The body of a transaction. */
export type Change<Result> = (rows: FactRows, clock: SequenceClock, warn: ApplyOptions["warn"]) => Result;

/** Runs `change` as one transaction. */
type Write = <Result>(change: Change<Result>) => Promise<Result>;

interface QueuedFact {
  readonly fact: NewFact;
  readonly signal: AbortSignal | undefined;
  readonly resolve: () => void;
  readonly reject: (reason: unknown) => void;
}

const batchSize = 2048;
// A transaction accepts no more records after this time, so that it does not block the event loop.
const transactionMs = 5;
const recordsPerTimeCheck = 16;

/** Groups the records of one turn of the event loop into transactions. */
export class RecordQueue {
  readonly #write: Write;
  readonly #negativeMaxAgeMs: number;
  readonly #onWritten: () => void;
  readonly #queued: QueuedFact[] = [];
  #writing: Promise<void> | undefined;

  /** `onWritten` is called after each batch. */
  constructor(write: Write, options: { readonly negativeMaxAgeMs: number; readonly onWritten: () => void }) {
    this.#write = write;
    this.#onWritten = options.onWritten;
    this.#negativeMaxAgeMs = options.negativeMaxAgeMs;
  }

  /** Resolves when the record is durable. */
  add(fact: NewFact, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#queued.push({ fact, signal, resolve, reject });
      this.#writing ??= this.#writeAll();
    });
  }

  /** Resolves when no record is queued or being written. */
  async drained(): Promise<void> {
    await this.#writing;
  }

  async #writeAll(): Promise<void> {
    await Promise.resolve();
    while (this.#queued.length > 0) {
      await this.#writeBatch(this.#queued.splice(0, batchSize));
      this.#onWritten();
    }
    this.#writing = undefined;
  }

  /** Writes the batch in the order of digests, because neighbours share pages. Sequences keep the order of the calls. */
  async #writeBatch(batch: readonly QueuedFact[]): Promise<void> {
    const sorted = batch.toSorted((a, b) =>
      a.fact.digest < b.fact.digest ? -1 : a.fact.digest > b.fact.digest ? 1 : 0,
    );
    let done = 0;
    try {
      while (done < sorted.length) {
        if (done > 0) await yieldToEventLoop();
        const rest = sorted.slice(done);
        const count = await this.#write((rows, clock, warn) => {
          if (done === 0) for (const { fact } of batch) fact.sequence = clock.next(fact.lastSeenMs);
          return this.#apply(rest, rows, clock, warn);
        });
        done += count;
        for (const { signal, resolve, reject } of rest.slice(0, count)) {
          if (signal?.aborted) reject(signal.reason);
          else resolve();
        }
      }
    } catch (error) {
      for (const { reject } of sorted.slice(done)) reject(error);
    }
  }

  /** Applies as many records as the time of one transaction allows, and returns their number. */
  #apply(records: readonly QueuedFact[], ...[rows, clock, warn]: Parameters<Change<number>>): number {
    const end = performance.now() + transactionMs;
    let done = 0;
    for (const { fact, signal } of records) {
      done++;
      clock.reserve(fact.sequence);
      if (!signal?.aborted) {
        applyFact(rows, fact, { warn, oldestNegativeMs: fact.lastSeenMs - this.#negativeMaxAgeMs });
      }
      if (done % recordsPerTimeCheck === 0 && performance.now() > end) break;
    }
    return done;
  }
}
