import { applyFact, type FactStorage, MemoryStorage } from "@mote/bic";

// Milliseconds without use after which the file is opened again.
const retryMs = 5_000;
const chunkSize = 250;

/** Stores facts in memory until another process releases the file. */
export class DeferredStorage extends MemoryStorage {
  readonly idleMs = retryMs;
  readonly #deliver: () => Promise<void>;

  /** `deliver` is called by `close`. */
  constructor(deliver: () => Promise<void>) {
    super();
    this.#deliver = deliver;
  }

  override close(): Promise<void> {
    return this.#deliver();
  }

  /** Writes every fact to another storage. */
  async moveTo(storage: FactStorage, warn: (message: string, details: object) => void): Promise<void> {
    for (const facts of this.chunks(chunkSize)) {
      await storage.write((rows, clock) => {
        for (const fact of facts) {
          clock.reserve(fact.sequence);
          applyFact(rows, fact, { warn, oldestNegativeMs: 0 });
        }
      });
    }
  }
}
