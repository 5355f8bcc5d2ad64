/** Longest stretch of synchronous work before yielding. */
const sliceMs = 4;
const callsPerLook = 8;

/** Yields to the event loop between short synchronous calls, so that callers that await only them do not starve timers and sockets. */
export class CooperativeYield {
  #turn: Promise<void> | undefined;
  #began = 0;
  #calls = 0;
  readonly #onTurn: () => void;

  /** @param onTurn called at the first call in each turn of the event loop; its errors are rethrown by that call */
  constructor(onTurn: () => void) {
    this.#onTurn = onTurn;
  }

  /** As `yieldIfDue`, but checks the clock on every call. For use after longer work. */
  yieldAfterWork(): Promise<void> | undefined {
    this.#calls = -1;
    return this.yieldIfDue();
  }

  /** Returns undefined while the slice has time left; else await it. */
  yieldIfDue(): Promise<void> | undefined {
    // Reading the clock costs more than the rest of this.
    if (this.#turn !== undefined && ++this.#calls % callsPerLook !== 0) return undefined;
    if (this.#turn === undefined) {
      // If this throws, the next call throws too.
      this.#onTurn();
      this.#began = performance.now();
      this.#turn = new Promise((resolve) => {
        setImmediate(() => {
          this.#turn = undefined;
          resolve();
        });
      });
      return undefined;
    }
    return performance.now() - this.#began > sliceMs ? this.#turn : undefined;
  }
}
