import { type ApplyOptions, applyFact } from "./apply-fact.js";
import type { BlobFact } from "./blob-fact.js";
import type { FactRows } from "./fact-rows.js";
import type { SequenceClock } from "./fact-storage.js";
import { yieldToEventLoop } from "./yield-to-event-loop.js";

/** A fact whose sequence is given to it when it is written. */
export type NewFact = BlobFact & { sequence: number };

/** A transaction, with what it warns of. */
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
/** A transaction takes no more records once it has run this long, so that the event loop is not blocked. */
const transactionMs = 5;
const recordsPerLook = 16;

/** Records on their way to the storage. Those of one turn of the event loop share transactions. */
export class RecordQueue {
  readonly #write: Write;
  readonly #negativeMaxAgeMs: number;
  readonly #onWritten: () => void;
  readonly #waiting: QueuedFact[] = [];
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
      this.#waiting.push({ fact, signal, resolve, reject });
      this.#writing ??= this.#writeAll();
    });
  }

  /** Resolves when nothing is on its way. */
  async drained(): Promise<void> {
    await this.#writing;
  }

  async #writeAll(): Promise<void> {
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      await this.#writeBatch(this.#waiting.splice(0, batchSize));
      this.#onWritten();
    }
    this.#writing = undefined;
  }

  /** Writes the batch digest by digest, as neighbours share pages; the order of time is that of the calls all the same. */
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

  /** Applies as many records as one transaction's time allows, and returns their number. */
  #apply(records: readonly QueuedFact[], ...[rows, clock, warn]: Parameters<Change<number>>): number {
    const end = performance.now() + transactionMs;
    let done = 0;
    for (const { fact, signal } of records) {
      done++;
      clock.reserve(fact.sequence);
      if (!signal?.aborted) {
        applyFact(rows, fact, { warn, oldestNegativeMs: fact.lastSeenMs - this.#negativeMaxAgeMs });
      }
      if (done % recordsPerLook === 0 && performance.now() > end) break;
    }
    return done;
  }
}
