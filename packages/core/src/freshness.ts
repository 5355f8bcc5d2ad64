import type { Cancellable } from "./cancellable.js";
import type { Digest } from "./digest.js";

/** What an upstream registry said last that a tag means. */
export interface NameCheck {
  readonly digest: Digest;
  readonly mediaType: string;
  /** In bytes. */
  readonly size: number;
  /** When the upstream said so, in Unix milliseconds. */
  readonly checkedMs: number;
}

/**
 * Records when names were last checked at their upstream. A record is not a tag: what it names may be missing, or be removed by `prune`.
 * Records may be lost at any time; the name is then checked again.
 */
export interface Freshness {
  find(name: string, options?: Cancellable): Promise<NameCheck | undefined>;
  record(name: string, check: NameCheck, options?: Cancellable): Promise<void>;
  remove(name: string, options?: Cancellable): Promise<void>;
}

/** At most this many names are remembered; those that were recorded first are forgotten first. */
const maxNames = 10_000;

/** Records checks in memory. */
export class MemoryFreshness implements Freshness {
  readonly #checks = new Map<string, NameCheck>();

  async find(name: string): Promise<NameCheck | undefined> {
    return this.#checks.get(name);
  }

  async record(name: string, check: NameCheck): Promise<void> {
    this.#checks.delete(name);
    this.#checks.set(name, check);
    for (const oldest of this.#checks.keys()) {
      if (this.#checks.size <= maxNames) break;
      this.#checks.delete(oldest);
    }
  }

  async remove(name: string): Promise<void> {
    this.#checks.delete(name);
  }
}
