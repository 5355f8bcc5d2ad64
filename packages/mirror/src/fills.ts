import {
  type ContentSource,
  type Descriptor,
  type Digest,
  fetchIntoCache,
  inFlightFetch,
  isMismatch,
  type Logger,
  type MoteCache,
  startFetch,
} from "@mote/core";

/** Milliseconds for which a fill continues without a client. */
const lingerMs = 300_000;

/** A blob on its way into the cache. */
export interface Fill {
  readonly digest: Digest;
  readonly size: number;
  /** The full name of the repository that it is fetched for. */
  readonly repository: string;
  /** Bytes that are stored so far. */
  readonly bytes: number;
}

export interface FillOptions {
  readonly repository: string;
  readonly source: Pick<ContentSource, "blob" | "reportCorruption">;
  readonly onStored: () => void;
  /** Called with the number of bytes of each chunk from the upstream. */
  readonly onReceived: (bytes: number) => void;
}

/** A fill that counts its clients. It ends some minutes after the last one has gone. */
export class RunningFill implements Fill {
  readonly digest: Digest;
  readonly size: number;
  readonly repository: string;
  bytes = 0;
  readonly done: Promise<void>;
  readonly #abandon = new AbortController();
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
    this.done = run(this, this.#abandon.signal);
    this.done.catch(() => {});
    this.enter()();
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
    this.#abandon.abort(new Error("no client waits for the blob any more"));
  }
}

/** The fetches of a mirror into its cache: one for each digest, whichever clients wait for it. */
export class Fills {
  readonly #cache: MoteCache;
  readonly #logger: Logger;
  readonly #running = new Map<Digest, RunningFill>();

  constructor(cache: MoteCache, logger: Logger) {
    this.#cache = cache;
    this.#logger = logger;
  }

  running(): Fill[] {
    return [...this.#running.values()];
  }

  /** Returns the fill of a blob, which is started if there is none. */
  fill(descriptor: Descriptor, options: FillOptions): RunningFill {
    const running = this.#running.get(descriptor.digest);
    if (running !== undefined) return running;
    const fill = new RunningFill(descriptor, options.repository, async (own, signal) => {
      try {
        await this.#fetch(own, descriptor, options, signal);
        options.onStored();
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
  }

  async #fetch(fill: RunningFill, descriptor: Descriptor, options: FillOptions, signal: AbortSignal): Promise<void> {
    const { digest } = descriptor;
    const cache = this.#cache;
    const run = async (fetchSignal: AbortSignal) => {
      for (let attempt = 1; ; attempt++) {
        let resumedAt = 0;
        try {
          await fetchIntoCache({
            cache,
            descriptor,
            signal: fetchSignal,
            sources: async function* () {
              yield options.source;
            },
            onSwitch: () => {},
            onEvent: undefined,
            begin: (offset) => {
              resumedAt = offset;
              return undefined;
            },
            onBytes: (bytes) => {
              fill.bytes = bytes;
            },
            onReceived: options.onReceived,
          });
          return;
        } catch (error) {
          fetchSignal.throwIfAborted();
          // Bytes of an interrupted fill may be damaged, or another endpoint may have the right ones.
          const mayRepeat = isMismatch(error) && attempt === 1;
          const hasOther = isMismatch(error) && (options.source.reportCorruption?.(descriptor) ?? false);
          if (!hasOther && !(mayRepeat && resumedAt > 0)) throw error;
          this.#logger.warn("a blob came with wrong bytes; fetching it again", { digest, error });
        }
      }
    };
    const fetch = inFlightFetch(cache, digest) ?? startFetch(cache, digest, run);
    await fetch.join(signal);
  }
}
