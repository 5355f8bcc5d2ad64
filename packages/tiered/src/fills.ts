import {
  CacheError,
  type Cancellable,
  type Digest,
  fetchIntoCache,
  InFlightFetch,
  isNotFound,
  type Logger,
  type MoteCache,
  MoteError,
  type MoteInfo,
  type MoteReader,
  type ReadOptions,
  verifyChunks,
} from "@mote/core";
import { areWrongBytes, type FarTier } from "./far-tier.js";
import { FillReader } from "./fill-reader.js";

export interface FillOptions extends Cancellable {
  /** That of the mote. Saves the request that finds it out. */
  readonly mediaType?: string | undefined;
  /** Called with the number of bytes of the mote that are stored, by the call that starts the fetch. */
  readonly onBytes?: ((bytes: number) => void) | undefined;
}

interface FetchOptions extends FillOptions {
  readonly signal: AbortSignal;
  /** Called when the near cache has a writer. */
  readonly wrote: () => void;
}

interface Fill {
  readonly fetch: InFlightFetch;
  /** Resolves when the near cache has a writer, whose bytes can be followed. */
  readonly isWriting: Promise<void>;
}

const never = new AbortController().signal;
/** How often a mote is read from the tier, if wrong bytes come. */
const maxAttempts = 3;
/** A mote of at most this many bytes is read when it has been fetched. */
const smallBytes = 64 * 1024;

/** Fetches motes from the far tier into the near cache, each once for all callers. */
export class Fills {
  readonly #near: MoteCache;
  readonly #far: FarTier;
  readonly #logger: Logger;
  readonly #removesWrong: boolean;
  readonly #fills = new Map<Digest, Fill>();

  /** `removesWrong`: whether wrong bytes are removed from the far tier, so that right ones replace them. */
  constructor(
    near: MoteCache,
    far: FarTier,
    { logger, removesWrong }: { readonly logger: Logger; readonly removesWrong: boolean },
  ) {
    this.#near = near;
    this.#far = far;
    this.#logger = logger;
    this.#removesWrong = removesWrong;
  }

  /** Fetches a mote that the near cache does not have. @throws MOTE_NOT_FOUND · MOTE_CORRUPT · MOTE_UNREACHABLE · what the near cache throws */
  async fill(digest: Digest, options: FillOptions = {}): Promise<void> {
    await this.#start(digest, options).fetch.join(options.signal ?? never);
  }

  /** Reads a mote that the near cache does not have. One that is read completely is stored. @throws as `fill` */
  async read(digest: Digest, options: ReadOptions): Promise<MoteReader> {
    const { start = 0, end, signal } = options;
    const info = await this.#far.find(digest, { signal });
    if (info === undefined) throw notFound(digest);
    const isComplete = start === 0 && (end === undefined || end >= info.size);
    if (!isComplete && !this.#fills.has(digest)) return this.#far.read(digest, options);
    try {
      return await this.#readFilling(info, options);
    } catch (error) {
      if (!(error instanceof CacheError)) throw error;
      this.#logger.warn("cannot write to the cache; reading from the tier", { digest, error: error.cause });
      return this.#readDirectly(info, options);
    }
  }

  async #readFilling(info: MoteInfo, options: ReadOptions): Promise<MoteReader> {
    const { digest } = info;
    const { fetch, isWriting } = this.#start(digest);
    const { start = 0, verifyOnRead, signal = never } = options;
    const end = (options.end ?? info.size) < info.size ? options.end : undefined;
    const openStored = () => this.#readNear(info, options);
    // A small one is read after it was verified, which does not take long.
    if (this.#near.followMote !== undefined && info.size > smallBytes) {
      const closed = new AbortController();
      const filled = fetch.join(AbortSignal.any([signal, closed.signal]));
      filled.catch(() => {});
      try {
        await Promise.race([isWriting, filled]);
        const follower = await this.#near.followMote(digest, { start, verifyOnRead, signal });
        if (follower !== undefined) return new FillReader(info, follower, { start, end, filled, closed, openStored });
        await filled;
      } catch (error) {
        closed.abort();
        throw error;
      }
    } else await fetch.join(signal);
    return openStored();
  }

  async #readNear(info: MoteInfo, options: ReadOptions): Promise<MoteReader> {
    try {
      return await this.#near.moteReader(info.digest, options);
    } catch (error) {
      // It has been removed meanwhile, or the near cache stores nothing.
      if (!isNotFound(error)) throw error;
      return this.#readDirectly(info, options);
    }
  }

  /** Reads from the far tier only, because the near cache cannot be written. */
  async #readDirectly(info: MoteInfo, options: ReadOptions): Promise<MoteReader> {
    const reader = await this.#far.read(info.digest, options);
    const { start = 0, end = info.size } = options;
    if (start > 0 || end < info.size) return reader;
    return {
      info,
      close: () => reader.close(),
      [Symbol.asyncDispose]: () => reader.close(),
      [Symbol.asyncIterator]: () => verifyChunks(reader, info, { damage: true }),
    };
  }

  #start(digest: Digest, options: FillOptions = {}): Fill {
    const running = this.#fills.get(digest);
    if (running !== undefined) return running;
    let wrote = () => {};
    const isWriting = new Promise<void>((resolve) => {
      wrote = resolve;
    });
    const fetch = new InFlightFetch(
      (signal) => this.#fetch(digest, { ...options, signal, wrote }),
      () => {
        if (this.#fills.get(digest) === fill) this.#fills.delete(digest);
      },
    );
    const fill = { fetch, isWriting };
    this.#fills.set(digest, fill);
    return fill;
  }

  /**
   * The near cache verifies the bytes, so that they are hashed once. If they are wrong, they are read a second time, verified by the tier,
   * which sets aside what is damaged: the first ones may have been damaged on the way, or be those of an interrupted fetch.
   */
  async #fetch(digest: Digest, options: FetchOptions): Promise<void> {
    const { signal, wrote } = options;
    let first: unknown;
    for (let attempt = 1; ; attempt++) {
      let offset = 0;
      const begin = (at: number) => {
        offset = at;
        wrote();
      };
      try {
        await this.#fetchOnce(digest, { ...options, verifyOnRead: attempt > 1, begin });
        if (attempt > 1)
          this.#logger.warn("the tier sent wrong bytes once; fetched them again", { digest, error: first });
        return;
      } catch (error) {
        signal.throwIfAborted();
        if (!areWrongBytes(error)) throw error;
        first ??= error;
        const isExamined = attempt > 1 && offset === 0;
        if (isExamined || attempt === maxAttempts) throw await this.#wrongBytes(digest, { cause: error, isExamined });
      }
      // Its size may have been wrong, too.
      this.#far.forget(digest);
    }
  }

  async #fetchOnce(
    digest: Digest,
    options: Omit<FetchOptions, "wrote"> & {
      readonly verifyOnRead: boolean;
      readonly begin: (offset: number) => void;
    },
  ): Promise<void> {
    const { signal, mediaType, onBytes = () => {}, verifyOnRead, begin } = options;
    const info = await this.#far.find(digest, { signal, mediaType });
    if (info === undefined) throw notFound(digest);
    const far = this.#far;
    await fetchIntoCache({
      cache: this.#near,
      descriptor: { digest, mediaType: info.mediaType, size: info.size },
      async *sources() {
        yield {
          blob: (_, { start, end, reuse, signal } = {}) =>
            far.read(digest, { start, end, reuse, signal, verifyOnRead }),
        };
      },
      signal,
      begin: ({ stored }) => void begin(stored),
      onBytes,
      onReceived() {},
      onSwitch() {},
      onEvent: undefined,
    });
  }

  /** Records that the tier does not have the mote, so that it is fetched from elsewhere. */
  async #wrongBytes(
    digest: Digest,
    { cause, isExamined }: { readonly cause: unknown; readonly isExamined: boolean },
  ): Promise<MoteError> {
    this.#far.exclude(digest);
    this.#logger.warn("the tier sent wrong bytes", { digest, error: cause });
    // A tier that verifies has set aside what is damaged. A failure is reported by the tier.
    if (this.#removesWrong && isExamined && this.#far.far.verifyMote === undefined)
      await this.#far.request(async (far, signal) => far.removeMote?.(digest, { signal })).catch(() => {});
    return new MoteError("MOTE_CORRUPT", `the tier sent wrong bytes for ${digest}`, { cause, details: { digest } });
  }
}

function notFound(digest: Digest): MoteError {
  return new MoteError("MOTE_NOT_FOUND", `${digest} is neither in the cache nor in the tier`, { details: { digest } });
}
