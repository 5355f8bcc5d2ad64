import { syncData, syncFolder } from "./file-calls.js";
import { fileError } from "./file-error.js";
import { FileSystemSync } from "./file-system-sync.js";
import { sharedRuns } from "./shared-runs.js";

/**
 * - `visible`: nothing is synced; a power failure may leave a truncated blob.
 * - `grouped`: a blob's data is on disk before its name is visible. A power failure may remove a visible name.
 * - `synced`: the name is also on disk when `close` or `commitMote` returns.
 */
export type Durability = "visible" | "grouped" | "synced";

/** From this many small files on, one sync of the file system is cheaper than one per file. */
const manyFiles = 8;
/** A larger file is synced alone, so that others do not wait for it. */
const smallFileBytes = 1024 * 1024;

interface Waiting {
  readonly fd: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Syncs what a durability requires, shared by concurrent callers. */
export class SyncGroup {
  readonly durability: Durability;
  readonly #together: FileSystemSync | undefined;
  #waiting: Waiting[] = [];
  #isSyncing = false;
  /** By folder. */
  readonly #names = new Map<string, () => Promise<void>>();

  /** @param folder on the file system that everything is written to; undefined to sync each file alone */
  constructor(durability: Durability, folder: string | undefined) {
    this.durability = durability;
    this.#together = folder === undefined ? undefined : new FileSystemSync(folder);
  }

  /** Resolves when the file's data is on disk. */
  async data(fd: number, size: number): Promise<void> {
    if (size > smallFileBytes || this.#together === undefined) return await syncData(fd);
    await new Promise<void>((resolve, reject) => {
      this.#waiting.push({ fd, resolve, reject });
      // At the end of this turn of the event loop, so that others can join.
      if (!this.#isSyncing && this.#waiting.length === 1) setImmediate(() => void this.#syncWaiting());
    });
  }

  /** Syncs the names in one of the cache's folders. */
  async names(folder: string): Promise<void> {
    const sync = this.#names.get(folder) ?? sharedRuns(() => syncFolder(folder));
    this.#names.set(folder, sync);
    await sync();
  }

  /** As `names`, unless durability is `visible`. */
  async namesUnlessVisible(folder: string): Promise<void> {
    try {
      if (this.durability !== "visible") await this.names(folder);
    } catch (error) {
      throw fileError(error, "write", folder);
    }
  }

  end(): void {
    this.#together?.end();
  }

  /** Calls during a sync wait for the next round. */
  async #syncWaiting(): Promise<void> {
    this.#isSyncing = true;
    while (this.#waiting.length > 0) {
      const round = this.#waiting;
      this.#waiting = [];
      const isMany = round.length >= manyFiles && this.#together?.isUsable;
      if (isMany && (await this.#together?.run())) for (const { resolve } of round) resolve();
      else await Promise.all(round.map(({ fd, resolve, reject }) => syncData(fd).then(resolve, reject)));
    }
    this.#isSyncing = false;
  }
}
