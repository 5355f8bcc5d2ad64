import { type ApplyOptions, applyFact } from "./apply-fact.js";
import type { BlobFact, FactTime } from "./blob-fact.js";
import type { FactRows } from "./fact-rows.js";
import type { SequenceClock } from "./fact-storage.js";
import { nextTurn } from "./next-turn.js";

/** A fact without its time, which it gets when it is written. */
export type UntimedFact = BlobFact extends infer Fact
  ? Fact extends BlobFact
    ? Omit<Fact, keyof FactTime>
    : never
  : never;

/** Runs `change` as one transaction. */
type Write = <Result>(change: (rows: FactRows, clock: SequenceClock) => Result) => Promise<Result>;

interface QueuedFact {
  readonly fact: UntimedFact;
  readonly nowMs: number;
  readonly signal: AbortSignal | undefined;
  readonly resolve: () => void;
  readonly reject: (reason: unknown) => void;
  sequence: number;
}

const batchSize = 4096;
/** A transaction takes no more records once it has run this long, so that the event loop goes on. */
const transactionMs = 5;
const recordsPerLook = 16;

/** Records on their way to the storage. Those of one turn of the event loop share transactions. */
export class RecordQueue {
  readonly #write: Write;
  readonly #absenceMs: number;
  readonly #onWritten: () => void;
  readonly #warn: ApplyOptions["warn"];
  readonly #waiting: QueuedFact[] = [];
  #writing: Promise<void> | undefined;

  /** `onWritten` is called after each batch. */
  constructor(
    write: Write,
    options: { readonly absenceMs: number; readonly warn: ApplyOptions["warn"]; readonly onWritten: () => void },
  ) {
    this.#write = write;
    this.#onWritten = options.onWritten;
    this.#absenceMs = options.absenceMs;
    this.#warn = options.warn;
  }

  /** Resolves when the record is durable. */
  add(fact: UntimedFact, nowMs: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ fact, nowMs, signal, resolve, reject, sequence: 0 });
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
        if (done > 0) await nextTurn();
        const rest = sorted.slice(done);
        const count = await this.#write((rows, clock) => {
          if (done === 0) for (const queued of batch) queued.sequence = clock.next(queued.nowMs);
          return this.#apply(rest, rows, clock);
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

  /** Applies records as far as one transaction's time allows; answers how many. */
  #apply(records: readonly QueuedFact[], rows: FactRows, clock: SequenceClock): number {
    const end = performance.now() + transactionMs;
    let done = 0;
    for (const { fact, nowMs, signal, sequence } of records) {
      done++;
      clock.reserve(sequence);
      if (!signal?.aborted) {
        const oldestAbsenceMs = nowMs - this.#absenceMs;
        applyFact(rows, { ...fact, sequence, lastSeenMs: nowMs }, { warn: this.#warn, oldestAbsenceMs });
      }
      if (done % recordsPerLook === 0 && performance.now() > end) break;
    }
    return done;
  }
}
