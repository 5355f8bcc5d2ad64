import { hasCode, type Logger, type MoteError } from "@mote/core";
import type { Awaitable, FactStorage } from "./fact-storage.js";

/** Resolves in the next turn of the event loop. */
export function yieldToEventLoop(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Opens a storage at first use, opens it again if it can no longer be used, and closes it after `idleMs` without use. */
export class StorageHandle {
  readonly #openStorage: () => Promise<FactStorage>;
  readonly #logger: Logger;
  #storage: FactStorage | undefined;
  #opening: Promise<FactStorage> | undefined;
  #closingIdle: Promise<void> | undefined;
  #idleTimer: NodeJS.Timeout | undefined;
  /** Calls of an asynchronous storage that have not settled. */
  readonly #pending = new Set<Promise<unknown>>();
  #wasUsed = false;
  #holds = 0;

  constructor(openStorage: () => Promise<FactStorage>, logger: Logger) {
    this.#openStorage = openStorage;
    this.#logger = logger;
  }

  async open(): Promise<FactStorage> {
    this.#wasUsed = true;
    if (this.#storage !== undefined) return this.#storage;
    this.#opening ??= this.#openAfterClose();
    try {
      const storage = await this.#opening;
      if (this.#storage !== storage) {
        this.#storage = storage;
        this.#closeWhenIdle(storage);
      }
      return storage;
    } finally {
      this.#opening = undefined;
    }
  }

  /** Calls `action` with the storage, synchronously if it is open. If the storage can no longer be used, opens it again and calls `action` once more. */
  use<Result>(action: (storage: FactStorage) => Awaitable<Result>): Awaitable<Result> {
    this.#wasUsed = true;
    if (this.#storage !== undefined) return this.#useOpen(this.#storage, action);
    return this.open().then((storage) => this.#useOpen(storage, action));
  }

  /** Keeps the storage open, even without use, until the returned function is called. */
  keepOpen(): () => void {
    this.#holds++;
    return () => {
      this.#holds--;
    };
  }

  async close(): Promise<void> {
    clearInterval(this.#idleTimer);
    await this.#closingIdle;
    await this.#storage?.close();
    this.#storage = undefined;
  }

  /** Waits until an open and all calls in progress have settled. */
  async settled(): Promise<void> {
    await this.#opening?.catch(() => undefined);
    // Lets the calls that waited for the storage to open start.
    await yieldToEventLoop();
    await Promise.allSettled(this.#pending);
  }

  async #openAfterClose(): Promise<FactStorage> {
    await this.#closingIdle;
    return this.#openStorage();
  }

  #useOpen<Result>(storage: FactStorage, action: (storage: FactStorage) => Awaitable<Result>): Awaitable<Result> {
    const replace = (error: unknown) => {
      if (!hasCode(error, "MOTE_CORRUPT", "MOTE_TIMEOUT")) throw error;
      return this.#replace(storage, error).then(action);
    };
    try {
      const result = action(storage);
      return result instanceof Promise ? this.whileOpen(result).catch(replace) : result;
    } catch (error) {
      return replace(error);
    }
  }

  /** Keeps the storage open until the promise settles, which `settled` waits for. */
  whileOpen<Result>(result: Promise<Result>): Promise<Result> {
    const release = this.keepOpen();
    this.#pending.add(result);
    return result.finally(() => {
      release();
      this.#pending.delete(result);
    });
  }

  // Later callers wait for the new storage.
  #replace(storage: FactStorage, cause: MoteError): Promise<FactStorage> {
    if (this.#storage === storage) {
      this.#logger.warn("the storage of the blob-info cache can no longer be used; opening it again", { cause });
      clearInterval(this.#idleTimer);
      this.#storage = undefined;
      this.#opening = storage.close().then(this.#openStorage);
    }
    return this.open();
  }

  #closeWhenIdle(storage: FactStorage): void {
    clearInterval(this.#idleTimer);
    if (storage.idleMs === undefined) return;
    this.#idleTimer = setInterval(() => {
      if (!this.#wasUsed && this.#holds === 0) this.#closeIdle(storage);
      this.#wasUsed = false;
    }, storage.idleMs).unref();
  }

  #closeIdle(storage: FactStorage): void {
    if (this.#storage !== storage) return;
    clearInterval(this.#idleTimer);
    this.#storage = undefined;
    this.#closingIdle = storage.close().catch((cause) => {
      this.#logger.warn("cannot close the storage of the blob-info cache", { cause });
    });
  }
}
