import { type ApplyOptions, applyFact } from "./apply-fact.js";
import type { BlobFact, LocationFact } from "./blob-fact.js";
import type { FactRows } from "./fact-rows.js";
import type { FactStorage, SequenceClock } from "./fact-storage.js";
import { type StorageHandle, yieldToEventLoop } from "./storage-handle.js";

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

interface QueuedLocation extends QueuedFact {
  readonly fact: NewFact & LocationFact;
}

type LocationStorage = Required<Pick<FactStorage, "recordLocations">>;

const batchSize = 2048;
// A transaction accepts no more records after this time, so that it does not block the event loop.
const transactionMs = 5;
const recordsPerTimeCheck = 16;
/** Locations that a storage records with one call, and calls at a time. */
const locationsPerCall = 512;
const maxCalls = 4;

/** Groups the records of one turn of the event loop into transactions. */
export class RecordQueue {
  readonly #storage: Pick<StorageHandle, "open" | "whileOpen">;
  readonly #write: Write;
  readonly #negativeMaxAgeMs: number;
  readonly #onWritten: () => void;
  readonly #queued: QueuedFact[] = [];
  #writing: Promise<void> | undefined;

  /** `onWritten` is called after each batch. */
  constructor(
    storage: Pick<StorageHandle, "open" | "whileOpen">,
    write: Write,
    options: { readonly negativeMaxAgeMs: number; readonly onWritten: () => void },
  ) {
    this.#storage = storage;
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
    const calls: Promise<void>[] = [];
    while (this.#queued.length > 0) {
      const storage = await this.#open();
      if (storage === undefined) continue;
      const next = this.#queued.slice(0, locationsPerCall);
      if (recordsLocations(storage) && next.every(isLocation)) {
        this.#queued.splice(0, next.length);
        calls.push(this.#recordLocations(storage, next));
        await (calls.length < maxCalls ? yieldToEventLoop() : calls.shift());
      } else {
        await Promise.all(calls.splice(0));
        await this.#writeBatch(this.#queued.splice(0, batchSize));
        this.#onWritten();
      }
      if (this.#queued.length === 0) await Promise.all(calls.splice(0));
    }
    this.#writing = undefined;
  }

  /** Opens the storage. If that fails, so do all queued records. */
  async #open(): Promise<FactStorage | undefined> {
    try {
      return await this.#storage.open();
    } catch (error) {
      for (const { reject } of this.#queued.splice(0)) reject(error);
      return undefined;
    }
  }

  async #recordLocations(storage: LocationStorage, batch: readonly QueuedLocation[]): Promise<void> {
    try {
      const facts = batch.filter(({ signal }) => !signal?.aborted).map(({ fact }) => fact);
      if (facts.length > 0) await this.#storage.whileOpen(storage.recordLocations(facts));
      settle(batch);
      this.#onWritten();
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
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
        settle(rest.slice(0, count));
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

function recordsLocations(storage: FactStorage): storage is FactStorage & LocationStorage {
  return storage.recordLocations !== undefined;
}

function isLocation(queued: QueuedFact): queued is QueuedLocation {
  return queued.fact.fact === "location" || queued.fact.fact === "absence";
}

/** Resolves records that were written, except those that were aborted. */
function settle(records: readonly QueuedFact[]): void {
  for (const { signal, resolve, reject } of records) {
    if (signal?.aborted) reject(signal.reason);
    else resolve();
  }
}
