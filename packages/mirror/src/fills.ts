import {
  CacheError,
  type CacheFetch,
  type Descriptor,
  type Digest,
  type FetchBeginning,
  type FillStatus,
  fetchIntoCache,
  inFlightFetch,
  isMismatch,
  type Logger,
  type MoteCache,
  NilCache,
  type ParallelFetches,
  startFetch,
} from "@mote/core";
import type { CacheHealth } from "./cache-health.js";
import type { Fleet } from "./fleet/fleet.js";
import { RecentChunks } from "./recent-chunks.js";
import type { FillSource } from "./upstream-source.js";

/** Milliseconds for which a fill continues without a client. */
const lingerMs = 300_000;
/** Bytes of one fill that are in memory for its readers. */
const maxRecentBytes = 8 * 1024 * 1024;
/** Bytes of all fills that are in memory for their readers. */
const maxAllRecentBytes = 64 * 1024 * 1024;

export interface FillOptions {
  readonly repository: string;
  readonly source: FillSource;
  /** Whether the readers get the bytes although the cache cannot be written. Default false: the fill fails then. */
  readonly passesThrough?: boolean | undefined;
  readonly onStored: () => void | Promise<void>;
  /** Called if this starts the fetch. */
  readonly onStart?: (() => void) | undefined;
}

/** A fill that counts its clients. It ends some minutes after the last one has gone. */
export class RunningFill implements FillStatus {
  readonly digest: Digest;
  readonly size: number;
  readonly repository: string;
  bytes = 0;
  /** The number of bytes before the first one that is missing. */
  inOrder = 0;
  readonly done: Promise<void>;
  readonly #abandon = new AbortController();
  #begun: Promise<RecentChunks | undefined>;
  #setBegun: (recent: RecentChunks | undefined) => void = () => {};
  #clients = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    { digest, size }: Descriptor,
    repository: string,
    run: (fill: RunningFill, signal: AbortSignal) => Promise<void>,
  ) {
    this.digest = digest;
    this.size = size;
    this.repository = repository;
    this.#begun = new Promise((resolve) => {
      this.#setBegun = resolve;
    });
    this.done = run(this, this.#abandon.signal);
    const end = () => this.#setBegun(undefined);
    this.done.then(end, end);
    this.enter()();
  }

  /** Resolves to the bytes in memory when they begin to arrive; to undefined if another process or another transfer fetches the blob. */
  begun(): Promise<RecentChunks | undefined> {
    return this.#begun;
  }

  /** This process fetches the blob, or it does not (undefined). */
  begin(recent: RecentChunks | undefined): void {
    this.#setBegun(recent);
    this.#begun = Promise.resolve(recent);
  }

  /** Counts a client. Call the result when it has gone. */
  enter(): () => void {
    this.#clients++;
    clearTimeout(this.#timer);
    let hasLeft = false;
    return () => {
      if (hasLeft) return;
      hasLeft = true;
      if (--this.#clients === 0) this.#timer = setTimeout(() => this.abandon(), lingerMs).unref();
    };
  }

  abandon(): void {
    clearTimeout(this.#timer);
    this.#abandon.abort(new Error("no client waits for the blob now"));
  }
}

/** The fetches of a mirror into its cache: one for each digest, whichever clients wait for it. */
export class Fills {
  readonly #cache: MoteCache;
  readonly #logger: Logger;
  readonly #health: CacheHealth;
  readonly #fleet: Fleet | undefined;
  readonly #parallelFetches: ParallelFetches;
  readonly #running = new Map<Digest, RunningFill>();

  constructor(
    cache: MoteCache,
    options: {
      readonly logger: Logger;
      readonly health: CacheHealth;
      readonly fleet: Fleet | undefined;
      readonly parallelFetches: ParallelFetches;
    },
  ) {
    this.#cache = cache;
    this.#logger = options.logger;
    this.#health = options.health;
    this.#fleet = options.fleet;
    this.#parallelFetches = options.parallelFetches;
  }

  running(): RunningFill[] {
    return [...this.#running.values()];
  }

  /** Returns the fill of a blob, which is started if there is none. */
  fill(descriptor: Descriptor, options: FillOptions): RunningFill {
    const running = this.#running.get(descriptor.digest);
    if (running !== undefined) return running;
    options.onStart?.();
    const fill = new RunningFill(descriptor, options.repository, async (own, signal) => {
      try {
        if (!(await this.#fetch(own, descriptor, options, signal))) return;
        this.#health.succeeded();
        await options.onStored();
      } catch (error) {
        this.#health.failed(error);
        throw error;
      } finally {
        this.#running.delete(descriptor.digest);
      }
    });
    this.#running.set(descriptor.digest, fill);
    return fill;
  }

  /** Suspends all fills, so that another process or a later one continues them. */
  async close(): Promise<void> {
    const fills = [...this.#running.values()];
    for (const fill of fills) fill.abandon();
    await Promise.allSettled(fills.map(({ done }) => done));
    await this.#fleet?.close();
  }

  /** Returns whether the blob was stored. */
  async #fetch(fill: RunningFill, descriptor: Descriptor, options: FillOptions, signal: AbortSignal): Promise<boolean> {
    const { digest } = descriptor;
    let cache: MoteCache = this.#cache;
    const run = async (source: FillSource, fetchSignal: AbortSignal) => {
      for (let attempt = 1; ; attempt++) {
        let resumedAt: number | undefined;
        const begin = (beginning: FetchBeginning) => {
          resumedAt = beginning.stored;
          return this.#begin(fill, beginning);
        };
        try {
          await this.#fetchInto(cache, { fill, descriptor, source, signal: fetchSignal, begin });
          return cache === this.#cache;
        } catch (error) {
          fetchSignal.throwIfAborted();
          if (
            error instanceof CacheError &&
            options.passesThrough &&
            resumedAt === undefined &&
            cache === this.#cache
          ) {
            this.#health.failed(error);
            cache = new NilCache();
            continue;
          }
          // Bytes of an interrupted fill may be damaged, or another endpoint may have the right ones.
          const mayRepeat = isMismatch(error) && attempt === 1;
          const hasOther = isMismatch(error) && (source.reportCorruption?.(descriptor) ?? false);
          if (!hasOther && !(mayRepeat && (resumedAt ?? 0) > 0)) throw error;
          this.#logger.warn("a blob came with wrong bytes; fetching it again", { digest, error });
        }
      }
    };
    const running = inFlightFetch(cache, digest);
    if (running !== undefined) fill.begin(undefined);
    const fetch = async (fetchSignal: AbortSignal) => {
      await (this.#fleet?.fetch(descriptor, options.source, (source) => run(source, fetchSignal)) ??
        run(options.source, fetchSignal));
    };
    await (running ?? startFetch(cache, digest, fetch)).join(signal);
    return cache === this.#cache;
  }

  async #fetchInto(
    cache: MoteCache,
    fetch: Pick<CacheFetch, "descriptor" | "signal" | "begin"> & {
      readonly fill: RunningFill;
      readonly source: FillSource;
    },
  ): Promise<void> {
    const { fill, source } = fetch;
    await fetchIntoCache({
      ...fetch,
      cache,
      parallel: this.#parallelFetches(source, fetch.descriptor),
      sources: async function* () {
        yield source;
      },
      onSwitch: () => {},
      onEvent: undefined,
      onOtherWriter: () => fill.begin(undefined),
      onBytes: (bytes, inOrder) => {
        fill.bytes = bytes;
        fill.inOrder = inOrder;
      },
      onReceived: () => {},
    });
  }

  /** When a gap closes, more bytes follow at once than readers can share in memory: they read the growing file. */
  #begin(fill: RunningFill, { start, isInOrder }: FetchBeginning): RecentChunks | undefined {
    const maxBytes = () => Math.min(maxRecentBytes, maxAllRecentBytes / this.#running.size);
    const recent = isInOrder ? new RecentChunks(fill.digest, start, maxBytes) : undefined;
    fill.begin(recent);
    return recent;
  }
}
