import { CacheError, hasCode, type Logger } from "@mote/core";

/** Warns when the cache cannot be written, once until it can be written again. */
export class CacheHealth {
  readonly #logger: Logger;
  readonly #onFull: () => void;
  #isFailing = false;

  /** `onFull`: called each time when the disk is full. */
  constructor(logger: Logger, onFull: () => void) {
    this.#logger = logger;
    this.#onFull = onFull;
  }

  succeeded(): void {
    if (this.#isFailing) this.#logger.info("the cache stores content again");
    this.#isFailing = false;
  }

  /** Ignores errors that are not the cache's. */
  failed(error: unknown): void {
    if (!(error instanceof CacheError)) return;
    const { cause } = error;
    if (hasCode(cause, "MOTE_NO_SPACE")) this.#onFull();
    if (this.#isFailing) return;
    this.#isFailing = true;
    const reason = cause instanceof Error ? cause.message : error.message;
    this.#logger.warn(`the cache cannot store content, which is passed through to clients: ${reason}`, { error });
  }
}
