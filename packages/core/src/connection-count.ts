/** Decides how many connections read one blob at a time, and how many bytes each requests. */
export interface ConnectionCount {
  /** From 1 on. A connection beyond it ends with its current range. */
  readonly connections: number;
  /** The bytes of a range. */
  readonly rangeBytes: number;
  /** Counts bytes that were stored. */
  received(bytes: number): void;
  /** Called when a connection failed. */
  failed(): void;
}

/** After a change, for connecting and for TCP to reach its rate. */
const settleMs = 400;
const measureMs = 800;
/** How long a count stays after more connections did not pay; doubled each time. */
const firstPauseMs = 5_000;
const longestPauseMs = 80_000;
const leastGain = 0.1;
/** In bytes per second. From here on, hashing and writing limit the rate, and more connections only bring bytes out of order. */
const enoughRate = 300_000_000;

const firstRangeBytes = 32 * 1024 * 1024;
const smallestRangeBytes = 16 * 1024 * 1024;
const largestRangeBytes = 256 * 1024 * 1024;
/** Of a single connection that more do not outpace: a request costs a round trip without bytes. */
const largestSingleBytes = 512 * 1024 * 1024;
const rangeSeconds = 4;

/**
 * Begins with one connection, and tries twice as many as long as that pays, then one more at intervals. Keeps them only if the total rate grows
 * clearly: by half of what they would give if each connection were limited alone, and by a tenth at least.
 */
export class MeasuredConnections implements ConnectionCount {
  #most: number;
  readonly #nowMs: () => number;
  #connections = 1;
  /** The count that is known to pay, and its bytes per second. */
  #best = { connections: 1, rate: 0 };
  #countsFromMs: number;
  #isDoubling = true;
  #pauseMs = firstPauseMs;
  #bytes = 0;
  /** All bytes, including those that are not measured. */
  #received = 0;

  constructor(most: number, nowMs: () => number = () => performance.now()) {
    this.#most = most;
    this.#nowMs = nowMs;
    this.#countsFromMs = nowMs() + settleMs;
  }

  get connections(): number {
    return this.#connections;
  }

  get rangeBytes(): number {
    const { rate, connections } = this.#best;
    const isSingle = this.#connections === 1;
    if (rate === 0) {
      // A fast source sends much before its rate is known, and every request costs it a pause.
      const wanted = isSingle ? this.#received : 0;
      return Math.min(largestSingleBytes, Math.max(firstRangeBytes, wanted));
    }
    const wanted = (rate / connections) * rangeSeconds * (isSingle ? 2 : 1);
    return Math.round(
      Math.min(isSingle ? largestSingleBytes : largestRangeBytes, Math.max(smallestRangeBytes, wanted)),
    );
  }

  received(bytes: number): void {
    this.#received += bytes;
    const nowMs = this.#nowMs();
    if (nowMs < this.#countsFromMs) return;
    this.#bytes += bytes;
    const elapsedMs = nowMs - this.#countsFromMs;
    if (elapsedMs >= measureMs) this.#decide((this.#bytes / elapsedMs) * 1000);
  }

  /** Uses one connection less from now on. */
  failed(): void {
    this.#most = Math.max(1, this.#connections - 1);
    this.#use(Math.min(this.#connections, this.#most), settleMs);
    this.#best = { connections: this.#connections, rate: 0 };
  }

  #decide(rate: number): void {
    const { connections, rate: before } = this.#best;
    const added = this.#connections - connections;
    if (added > 0 && rate < before * (1 + Math.max((0.5 * added) / connections, leastGain))) {
      this.#isDoubling = false;
      this.#use(connections, this.#pauseMs);
      this.#pauseMs = Math.min(longestPauseMs, 2 * this.#pauseMs);
      return;
    }
    this.#best = { connections: this.#connections, rate };
    const more = this.#isDoubling ? 2 * this.#connections : this.#connections + 1;
    this.#use(rate >= enoughRate ? this.#connections : Math.min(this.#most, more), settleMs);
  }

  #use(connections: number, afterMs: number): void {
    this.#connections = connections;
    this.#bytes = 0;
    this.#countsFromMs = this.#nowMs() + afterMs;
  }
}
