import { type Cancellable, type Logger, untilAborted } from "@mote/core";

/** The share of time that may be spent on finding the value: one part of so many. */
const restFactor = 50;
/** How long a caller waits for a newer value than the last one, and for the first one, in milliseconds. */
const maxWaitMs = 100;
const maxFirstWaitMs = 2000;

/** A value that takes time to compute: if it is old when it is requested, it is computed again in the background. */
export class BackgroundValue<Value> {
  readonly #find: (options: Cancellable) => Promise<Value>;
  readonly #logger: Logger;
  readonly #closing = new AbortController();
  #value: Value | undefined;
  #running: Promise<void> | undefined;
  #nextAt = 0;

  constructor(find: (options: Cancellable) => Promise<Value>, logger: Logger) {
    this.#find = find;
    this.#logger = logger;
  }

  /** Returns the last value, after waiting a little for a newer one. Undefined if there is none yet. */
  async get(): Promise<Value | undefined> {
    if (this.#running === undefined && performance.now() >= this.#nextAt && !this.#closing.signal.aborted) {
      this.#running = this.#refresh().finally(() => {
        this.#running = undefined;
      });
    }
    const waitMs = this.#value === undefined ? maxFirstWaitMs : maxWaitMs;
    if (this.#running !== undefined) await untilAborted(this.#running, AbortSignal.timeout(waitMs)).catch(() => {});
    return this.#value;
  }

  /** Aborts the search. */
  async close(): Promise<void> {
    this.#closing.abort(new Error("the server is closing"));
    await this.#running;
  }

  async #refresh(): Promise<void> {
    const startedAt = performance.now();
    try {
      this.#value = await this.#find({ signal: this.#closing.signal });
    } catch (error) {
      if (!this.#closing.signal.aborted) this.#logger.debug("cannot find a figure of the status", { error });
    }
    this.#nextAt = performance.now() + restFactor * (performance.now() - startedAt);
  }
}
