/** Longest stretch of synchronous work before others get their turn. */
const sliceMs = 4;
const callsPerLook = 8;

/** Lets the event loop turn between short synchronous calls, so that callers that await only them do not starve timers and sockets. */
export class CooperativeYield {
  #turn: Promise<void> | undefined;
  #began = 0;
  #calls = 0;
  readonly #onTurn: () => void;

  /** @param onTurn called at the first call in each turn of the event loop; what it throws, that call throws */
  constructor(onTurn: () => void) {
    this.#onTurn = onTurn;
  }

  /** As `pause`, after work that is longer than a call: looks at the time whatever came before. */
  yieldAfterWork(): Promise<void> | undefined {
    this.#calls = -1;
    return this.yieldIfDue();
  }

  /** Undefined where the slice has time left; else await it. */
  yieldIfDue(): Promise<void> | undefined {
    // Asking for the time costs more than the rest of this.
    if (this.#turn !== undefined && ++this.#calls % callsPerLook !== 0) return undefined;
    if (this.#turn === undefined) {
      // What it throws, the next call throws, too.
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
