import type { Cancellable, Lease, Logger, MoteCache } from "@mote/core";

/** Keeps a cache within a size: after each transfer, behind its back, and with what it moved held until that is done. */
export class SizeBound {
  readonly #cache: MoteCache;
  readonly #maxSize: number;
  readonly #logger: Logger;
  #pruning: Promise<void> = Promise.resolve();

  constructor(cache: MoteCache, { maxSize, logger }: { readonly maxSize: number; readonly logger: Logger }) {
    this.#cache = cache;
    this.#maxSize = maxSize;
    this.#logger = logger;
  }

  /** To be given to one transfer, and back to `restore` when it is over. */
  async lease(options: Cancellable): Promise<Lease | undefined> {
    try {
      return await this.#cache.lease?.([], options);
    } catch (error) {
      options.signal?.throwIfAborted();
      this.#logger.warn("the cache cannot hold on to what is being moved", { error });
      return undefined;
    }
  }

  /** Prunes in the background, one transfer's after another's, and releases the lease. */
  restore(lease: Lease | undefined): void {
    this.#pruning = this.#pruning.then(() => this.#prune(lease));
  }

  /** Resolves when no prune is at work. */
  async settled(): Promise<void> {
    await this.#pruning;
  }

  async #prune(lease: Lease | undefined): Promise<void> {
    try {
      const { removed, freedBytes, remainingBytes, reached } = await this.#cache.prune(this.#maxSize);
      if (removed.length > 0) this.#logger.info("pruned", { removed: removed.length, freedBytes, remainingBytes });
      if (!reached) {
        this.#logger.info("what is held alone is more than the cache may have", {
          maxSize: this.#maxSize,
          remainingBytes,
        });
      }
    } catch (error) {
      this.#logger.warn(`the cache cannot be pruned: ${error instanceof Error ? error.message : String(error)}`, {
        error,
      });
    } finally {
      await lease?.release().catch((error: unknown) => this.#logger.warn("a lease cannot be released", { error }));
    }
  }
}
