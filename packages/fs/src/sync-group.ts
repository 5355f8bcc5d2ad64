import { syncData, syncFolder } from "./file-calls.js";

/**
 * - `visible`: nothing is synced; after a power cut a blob may be torn.
 * - `grouped`: a blob's data is on disk before its name is visible. A name that was visible may be gone after a power cut.
 * - `synced`: its name is on disk too when `close` or `commitMote` returns.
 */
export type Durability = "visible" | "grouped" | "synced";

/** The syncs that a durability asks for, shared by callers that come at once. */
export class SyncGroup {
  readonly durability: Durability;
  readonly #running = new Map<string, Promise<void>>();
  readonly #queued = new Map<string, Promise<void>>();

  constructor(durability: Durability) {
    this.durability = durability;
  }

  async data(fd: number): Promise<void> {
    await syncData(fd);
  }

  /** After names were made in `folder`. Whoever comes while a sync runs shares the next one, as the running one may miss his name. */
  async names(folder: string): Promise<void> {
    const queued = this.#queued.get(folder) ?? this.#queue(folder);
    await queued;
  }

  #queue(folder: string): Promise<void> {
    const running = this.#running.get(folder) ?? Promise.resolve();
    const next = running.then(() => {
      this.#queued.delete(folder);
      const sync = syncFolder(folder);
      const settled: Promise<void> = sync.catch(() => {}).then(() => this.#forget(folder, settled));
      this.#running.set(folder, settled);
      return sync;
    });
    this.#queued.set(folder, next);
    return next;
  }

  #forget(folder: string, settled: Promise<void>): void {
    if (this.#running.get(folder) === settled) this.#running.delete(folder);
  }
}
