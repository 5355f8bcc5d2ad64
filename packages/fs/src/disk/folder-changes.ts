import { lstatIfThere } from "./plain-file.js";

/**
 * A folder's change time may hide a change for this long, as file system clocks are coarse. Measured by the local clock
 * from the first sight of the time, as the file system's may be another machine's.
 */
const coarseMs = 100;
/** Some file systems store only whole or even seconds. */
const coarseSecondsMs = 2100;

/** Detects by a folder's change time, which no user can set back, whether names in it may have changed. */
export class FolderChanges {
  readonly #path: string;
  #seen: { readonly timeMs: number; readonly firstMs: number; isSettled: boolean } | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /** Returns whether the names may have changed since the last call. Call it before the names are read. */
  look(): boolean {
    const timeMs = lstatIfThere(this.#path)?.ctimeMs ?? 0;
    const now = performance.now();
    if (timeMs !== this.#seen?.timeMs) this.#seen = { timeMs, firstMs: now, isSettled: false };
    if (this.#seen.isSettled) return false;
    this.#seen.isSettled = now - this.#seen.firstMs > (timeMs % 1000 === 0 ? coarseSecondsMs : coarseMs);
    return true;
  }

  /** Makes the next `look` return true. */
  reset(): void {
    this.#seen = undefined;
  }
}
