import type { Cancellable, Lease, Logger, MoteCache } from "@mote/core";

/** Keeps a cache within a size: prunes in the background after each transfer, and holds what was moved until that is done. */
export class SizeBound {
  readonly #cache: MoteCache;
  readonly #maxSize: number;
  readonly #logger: Logger;
  #pruning: Promise<void> = Promise.resolve();
  #isQueued = false;

  constructor(cache: MoteCache, { maxSize, logger }: { readonly maxSize: number; readonly logger: Logger }) {
    this.#cache = cache;
    this.#maxSize = maxSize;
    this.#logger = logger;
  }

  /** Takes a lease for one transfer, to be given to `restore` when it has ended. */
  async lease(options: Cancellable): Promise<Lease | undefined> {
    try {
      return await this.#cache.lease?.([], options);
    } catch (error) {
      options.signal?.throwIfAborted();
      this.#logger.warn("cannot lease what is being moved", { error });
      return undefined;
    }
  }

  /** Prunes in the background, one transfer's after another's, and releases the lease. */
  restore(lease: Lease | undefined): void {
    this.#pruning = this.#pruning.then(() => this.#prune(lease));
  }

  /** Prunes in the background, unless a prune is queued already. */
  enforce(): void {
    if (this.#isQueued) return;
    this.#isQueued = true;
    this.#pruning = this.#pruning.then(() => {
      this.#isQueued = false;
      return this.#prune(undefined);
    });
  }

  /** Resolves when no prune is running. */
  async settled(): Promise<void> {
    await this.#pruning;
  }

  async #prune(lease: Lease | undefined): Promise<void> {
    try {
      const { removed, freedBytes, remainingBytes, reached } = await this.#cache.prune(this.#maxSize);
      if (removed.length > 0) this.#logger.info("pruned", { removed: removed.length, freedBytes, remainingBytes });
      if (!reached) {
        this.#logger.info("cannot reach the maximum size: what is leased or pinned is larger", {
          maxSize: this.#maxSize,
          remainingBytes,
        });
      }
    } catch (error) {
      this.#logger.warn(`cannot prune the cache: ${error instanceof Error ? error.message : String(error)}`, { error });
    } finally {
      await lease?.release().catch((error: unknown) => this.#logger.warn("cannot release a lease", { error }));
    }
  }
}
