import { type Logger, MoteError } from "@mote/core";
import type { Awaitable, FactStorage } from "./fact-storage.js";
import { yieldToEventLoop } from "./yield-to-event-loop.js";

/** Opens a storage at first use, opens another one after damage, and closes one that asks for it while it is idle. */
export class StorageHandle {
  readonly #openStorage: () => Promise<FactStorage>;
  readonly #logger: Logger;
  #storage: FactStorage | undefined;
  #opening: Promise<FactStorage> | undefined;
  #releasing: Promise<void> | undefined;
  #idleTimer: NodeJS.Timeout | undefined;
  /** Calls of an asynchronous storage that have not ended. */
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
    this.#opening ??= this.#openReleased();
    try {
      const storage = await this.#opening;
      if (this.#storage !== storage) {
        this.#storage = storage;
        this.#watch(storage);
      }
      return storage;
    } finally {
      this.#opening = undefined;
    }
  }

  /** Calls `action` with the storage, at once if it is open. If the storage is damaged, calls it once more with a new one. */
  use<Result>(action: (storage: FactStorage) => Awaitable<Result>): Awaitable<Result> {
    this.#wasUsed = true;
    if (this.#storage !== undefined) return this.#useOpen(this.#storage, action);
    return this.open().then((storage) => this.#useOpen(storage, action));
  }

  /** Keeps the storage open, however idle, until the function that it returns is called. */
  keepOpen(): () => void {
    this.#holds++;
    return () => {
      this.#holds--;
    };
  }

  async close(): Promise<void> {
    clearInterval(this.#idleTimer);
    await this.#releasing;
    await this.#storage?.close();
    this.#storage = undefined;
  }

  /** Waits for an opening and for calls that are under way, whatever their outcome. */
  async settled(): Promise<void> {
    await this.#opening?.catch(() => undefined);
    // Calls that waited for the storage to open come first.
    await yieldToEventLoop();
    await Promise.allSettled(this.#pending);
  }

  async #openReleased(): Promise<FactStorage> {
    await this.#releasing;
    return this.#openStorage();
  }

  #useOpen<Result>(storage: FactStorage, action: (storage: FactStorage) => Awaitable<Result>): Awaitable<Result> {
    const replace = (error: unknown) => {
      if (!isDamage(error)) throw error;
      return this.#replace(storage, error).then(action);
    };
    try {
      const result = action(storage);
      return result instanceof Promise ? this.#whileOpen(result).catch(replace) : result;
    } catch (error) {
      return replace(error);
    }
  }

  /** Keeps the storage open until the result is there. */
  #whileOpen<Result>(result: Promise<Result>): Promise<Result> {
    const release = this.keepOpen();
    this.#pending.add(result);
    return result.finally(() => {
      release();
      this.#pending.delete(result);
    });
  }

  /** Callers that come in the meantime wait for the new storage. */
  #replace(storage: FactStorage, damage: MoteError): Promise<FactStorage> {
    if (this.#storage === storage) {
      this.#logger.warn("the storage of the blob-info cache is damaged or was replaced; opening it again", {
        cause: damage,
      });
      clearInterval(this.#idleTimer);
      this.#storage = undefined;
      this.#opening = storage.close().then(this.#openStorage);
    }
    return this.open();
  }

  #watch(storage: FactStorage): void {
    clearInterval(this.#idleTimer);
    if (storage.idleMs === undefined) return;
    this.#idleTimer = setInterval(() => {
      if (!this.#wasUsed && this.#holds === 0) this.#release(storage);
      this.#wasUsed = false;
    }, storage.idleMs).unref();
  }

  #release(storage: FactStorage): void {
    if (this.#storage !== storage) return;
    clearInterval(this.#idleTimer);
    this.#storage = undefined;
    this.#releasing = storage.close().catch((cause) => {
      this.#logger.warn("cannot close the storage of the blob-info cache", { cause });
    });
  }
}

function isDamage(error: unknown): error is MoteError {
  return MoteError.isInstance(error) && error.code === "MOTE_CORRUPT";
}
