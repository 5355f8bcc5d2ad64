import { BoundedMap } from "./bounded-map.js";
import type { Cancellable } from "./cancellable.js";
import type { Digest } from "./digest.js";

/** What a name referred to when it was last checked at its upstream. */
export interface NameCheck {
  readonly digest: Digest;
  readonly mediaType: string;
  /** In bytes. */
  readonly size: number;
  /** When it was checked, in Unix milliseconds. */
  readonly checkedMs: number;
}

/**
 * Records when names were last checked at their upstream. A record is not a tag: its manifest may be missing or removed by `prune`. Records may
 * be lost at any time; the name is then checked again.
 */
export interface Freshness {
  find(name: string, options?: Cancellable): Promise<NameCheck | undefined>;
  record(name: string, check: NameCheck, options?: Cancellable): Promise<void>;
  remove(name: string, options?: Cancellable): Promise<void>;
  /**
   * Begins a check, so that the other processes wait for its record. Resolves to undefined while another process is checking the name, for five
   * seconds at most. Best effort: in rare cases two begin. Call the result when the check has been recorded or has failed.
   */
  begin?(name: string): Promise<(() => void) | undefined>;
}

/** The maximum number of records. The oldest are removed first. */
const maxNames = 10_000;

/** Stores records in memory. */
export class MemoryFreshness implements Freshness {
  readonly #checks = new BoundedMap<string, NameCheck>(maxNames);

  async find(name: string): Promise<NameCheck | undefined> {
    return this.#checks.get(name);
  }

  async record(name: string, check: NameCheck): Promise<void> {
    this.#checks.set(name, check);
  }

  async remove(name: string): Promise<void> {
    this.#checks.delete(name);
  }
}
