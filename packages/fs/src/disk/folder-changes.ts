import { lstatIfThere } from "./plain-file.js";

/**
 * A folder's time of change may hide a later change for as long: clocks of file systems are coarse. By one's own clock since the time
 * was first seen, for the file system's may be another machine's.
 */
const coarseMs = 100;
/** Some keep but seconds, or every other one. */
const coarseSecondsMs = 2100;

/** Tells whether names in a folder may have changed, by the folder's time of change. */
export class FolderChanges {
  readonly #path: string;
  #seen: { readonly timeMs: number; readonly firstMs: number; isSettled: boolean } | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /** Returns whether the names may have changed since the last call. Call it before the names are read. */
  look(): boolean {
    const timeMs = lstatIfThere(this.#path)?.mtimeMs ?? 0;
    const now = performance.now();
    if (timeMs !== this.#seen?.timeMs) this.#seen = { timeMs, firstMs: now, isSettled: false };
    if (this.#seen.isSettled) return false;
    this.#seen.isSettled = now - this.#seen.firstMs > (timeMs % 1000 === 0 ? coarseSecondsMs : coarseMs);
    return true;
  }

  /** The next `look` returns true. */
  reset(): void {
    this.#seen = undefined;
  }
}
