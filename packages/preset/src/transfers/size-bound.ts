import { type Cancellable, type Lease, type Logger, type MoteCache, messageOf } from "@mote/core";
import { localImages } from "./local-images.js";

/** The size is measured again after this time, as other processes also store content. */
const remeasureMs = 60_000;
/** Milliseconds until a prune that could not reach the limit is repeated: at first, and at most after twice as long each time. */
const retryMs = { first: 1_000, last: 600_000 };
/** The share of the limit to which the cache of a mirror is pruned, to avoid a prune for every blob. */
const pruneTo = 0.95;

/** Limits the size of a cache: prunes in the background after each transfer, and protects what was moved until then, and local images. */
export class SizeBound {
  readonly #cache: MoteCache;
  readonly maxSize: number;
  readonly #logger: Logger;
  #pruning: Promise<void> = Promise.resolve();
  #isQueued = false;
  /** Bytes in the cache when it was last measured, and those stored since. */
  #knownBytes = 0;
  #measuredMs = Number.NEGATIVE_INFINITY;
  #retryMs = retryMs.first;
  #retry: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(cache: MoteCache, { maxSize, logger }: { readonly maxSize: number; readonly logger: Logger }) {
    this.#cache = cache;
    this.maxSize = maxSize;
    this.#logger = logger;
  }

  /** Returns a lease for a transfer. Pass it to `restore` afterwards. */
  async lease(options: Cancellable): Promise<Lease | undefined> {
    try {
      return await this.#cache.lease?.([], options);
    } catch (error) {
      options.signal?.throwIfAborted();
      this.#logger.warn("cannot lease the content of a transfer", { error });
      return undefined;
    }
  }

  /** Prunes in the background, one prune at a time, and releases the lease. */
  restore(lease: Lease | undefined): void {
    this.#pruning = this.#pruning.then(async () => {
      await this.#prune(lease);
    });
  }

  /** Prunes in the background if the cache may exceed the limit after storing these bytes. */
  enforce(bytes: number): void {
    this.#knownBytes += bytes;
    const isMeasured = performance.now() - this.#measuredMs < remeasureMs;
    if (isMeasured && this.#knownBytes <= this.maxSize) return;
    this.#queue(() => this.#pruneBelow());
  }

  /** Prunes in the background to free disk space, even if the cache is within the limit. */
  freeDiskSpace(): void {
    this.#queue(async () => {
      const { remainingBytes } = await this.#cache.prune(this.maxSize, {
        dryRun: true,
        keep: await localImages(this.#cache),
      });
      await this.#prune(undefined, Math.floor(Math.min(this.maxSize, remainingBytes) * pruneTo));
    });
  }

  /** Queues a prune, unless one is queued. */
  #queue(prune: () => Promise<void>): void {
    if (this.#isQueued) return;
    this.#isQueued = true;
    this.#pruning = this.#pruning.then(async () => {
      this.#isQueued = false;
      await prune().catch((error: unknown) => this.#warn(error));
    });
  }

  async #pruneBelow(): Promise<void> {
    const { hasRemoved, reached } = await this.#prune(undefined);
    if (hasRemoved) {
      await this.#prune(undefined, Math.floor(this.maxSize * pruneTo));
      // More may have been stored meanwhile.
      this.enforce(0);
    }
    if (reached) this.#retryMs = retryMs.first;
    else this.#pruneLater();
  }

  /** A body that is being sent, or a lease, may hold what is too much, and its end is not reported here. */
  #pruneLater(): void {
    clearTimeout(this.#retry);
    if (this.#isClosed) return;
    this.#retry = setTimeout(() => this.#queue(() => this.#pruneBelow()), this.#retryMs).unref();
    this.#retryMs = Math.min(2 * this.#retryMs, retryMs.last);
  }

  /** Ends the prunes in the background. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#retry);
    await this.settled();
  }

  /** Resolves when no prune is running. */
  async settled(): Promise<void> {
    // A prune may queue another one.
    for (let awaited: Promise<void> | undefined; awaited !== this.#pruning; ) {
      awaited = this.#pruning;
      await awaited;
    }
  }

  /** Returns whether anything was removed, and whether the size was reached; an error is not worth another attempt. */
  async #prune(
    lease: Lease | undefined,
    maxSize = this.maxSize,
  ): Promise<{ readonly hasRemoved: boolean; readonly reached: boolean }> {
    this.#knownBytes = 0;
    try {
      const { removed, freedBytes, remainingBytes, reached } = await this.#cache.prune(maxSize, {
        keep: await localImages(this.#cache),
      });
      this.#knownBytes += remainingBytes;
      this.#measuredMs = performance.now();
      if (removed.length > 0) this.#logger.info("pruned", { removed: removed.length, freedBytes, remainingBytes });
      if (!reached) {
        this.#logger.info("cannot reach the maximum size: what is leased, pinned or pushed here is larger", {
          maxSize,
          remainingBytes,
        });
      }
      return { hasRemoved: removed.length > 0, reached };
    } catch (error) {
      this.#warn(error);
      return { hasRemoved: false, reached: true };
    } finally {
      await lease?.release().catch((error: unknown) => this.#logger.warn("cannot release a lease", { error }));
    }
  }

  #warn(error: unknown): void {
    this.#logger.warn(`cannot prune the cache: ${messageOf(error)}`, { error });
  }
}
