import {
  BoundedMap,
  CacheError,
  type Cancellable,
  type CommitMode,
  type Digest,
  isDigest,
  isNotFound,
  type Logger,
  type Mote,
  type MoteCache,
  MoteError,
  type MoteInfo,
  type MoteReader,
  type MoteReaderAt,
  type MoteWriter,
  mediaTypes,
  type PruneOptions,
  type PruneReport,
  type ReadOptions,
  type RemoveOptions,
  silentLogger,
  untilAborted,
} from "@mote/core";
import { type Far, FarTier } from "./far-tier.js";
import { type FillOptions, Fills } from "./fills.js";
import { forwardedCapabilities } from "./forwarded-capabilities.js";
import { TierTags } from "./tier-tags.js";
import { type CommitSteps, commit, TierWriter } from "./tier-writer.js";
import { WriteBack, type WriteReport } from "./write-back.js";

/**
 * `none`: the far tier is only read. `through`: a write waits until the far tier has the mote, or has failed. `back`: motes are written to the
 * far tier in the background, and by `drain` and disposal.
 */
export type TierWrite = "none" | "through" | "back";

export interface TieredCacheOptions {
  readonly write: TierWrite;
  /** Milliseconds to wait for a response of the far tier, and for each chunk. Default 10,000. */
  readonly timeoutMs?: number | undefined;
  /** Returns true for a mote that another machine writes to the far tier, when it is committed. Default: none is. */
  readonly isWrittenElsewhere?: ((digest: Digest) => boolean) | undefined;
  /** Whether disposal leaves both tiers open. Default false. */
  readonly keepOpen?: boolean | undefined;
  /** Returns the milliseconds of a clock that never goes back. Default: that of the process. */
  readonly now?: (() => number) | undefined;
  /** Silent by default. */
  readonly logger?: Logger | undefined;
}

const defaultTimeoutMs = 10_000;
const maxPending = 10_000;
const nothingWritten: WriteReport = { written: 0, writtenBytes: 0, waiting: 0, dropped: 0 };

/**
 * A near cache in front of a far tier: what the near cache lacks is fetched from the far tier and stored. `removeMote`, `prune`,
 * `removeClosure`, `motes`, `verify`, tags, pins and leases are those of the near cache; the far tier is shared, and is pruned separately. Tags
 * that are set are also set in the far tier, but never read from it.
 *
 * A far tier that fails has nothing: a warning is logged, and it gets no requests for a while.
 */
export class TieredCache implements MoteCache {
  readonly near: MoteCache;
  readonly far: Far;
  declare readonly motes?: NonNullable<MoteCache["motes"]>;
  declare readonly removeClosure?: NonNullable<MoteCache["removeClosure"]>;
  declare readonly verify?: NonNullable<MoteCache["verify"]>;
  declare readonly verifyMote?: NonNullable<MoteCache["verifyMote"]>;
  declare readonly quarantined?: NonNullable<MoteCache["quarantined"]>;
  declare readonly linkTo?: NonNullable<MoteCache["linkTo"]>;
  declare readonly resumeMote?: NonNullable<MoteCache["resumeMote"]>;
  declare readonly leadMote?: NonNullable<MoteCache["leadMote"]>;
  declare readonly followMote?: NonNullable<MoteCache["followMote"]>;
  declare readonly lease?: NonNullable<MoteCache["lease"]>;
  declare readonly temporaryFolder?: NonNullable<MoteCache["temporaryFolder"]>;
  declare readonly tags?: NonNullable<MoteCache["tags"]>;
  declare readonly pinned?: NonNullable<MoteCache["pinned"]>;
  declare readonly membership?: NonNullable<MoteCache["membership"]>;
  declare readonly freshness?: NonNullable<MoteCache["freshness"]>;
  declare readonly uploads?: NonNullable<MoteCache["uploads"]>;
  readonly #tier: FarTier;
  readonly #fills: Fills;
  readonly #writeBack: WriteBack | undefined;
  readonly #steps: CommitSteps;
  readonly #keepOpen: boolean;
  readonly #tags: TierTags | undefined;
  /** Media types of pending motes. */
  readonly #mediaTypes = new BoundedMap<Digest, string>(maxPending);
  #closing: Promise<void> | undefined;

  /** @throws TypeError if `far` cannot be written to, but should be */
  constructor(near: MoteCache, far: Far, options: TieredCacheOptions) {
    const { write, timeoutMs = defaultTimeoutMs, keepOpen = false, logger = silentLogger } = options;
    const { now = () => performance.now(), isWrittenElsewhere = () => false } = options;
    if (!["none", "through", "back"].includes(write)) {
      throw new TypeError(`write must be "none", "through" or "back", not "${String(write)}"`);
    }
    if (write !== "none" && (far.createMote === undefined || far.moteWriter === undefined)) {
      throw new TypeError(`the far tier cannot be written to; use write: "none"`);
    }
    if (!(timeoutMs > 0)) throw new TypeError(`timeoutMs must be above 0, not ${timeoutMs}`);
    this.near = near;
    this.far = far;
    this.#keepOpen = keepOpen;
    this.#tier = new FarTier(far, { logger, timeoutMs, now });
    this.#fills = new Fills(near, this.#tier, { logger, removesWrong: write !== "none" });
    const writeBack = write === "none" ? undefined : new WriteBack(near, this.#tier, { logger, timeoutMs, now });
    this.#writeBack = writeBack;
    this.#steps = {
      before: async (mote) => {
        if (!isWrittenElsewhere(mote.digest)) await writeBack?.announce(mote);
      },
      failed: async ({ digest }) => writeBack?.retract(digest),
      after: (mote) => {
        if (isWrittenElsewhere(mote.digest)) return;
        writeBack?.add(mote);
        return write === "through" ? writeBack?.settled(mote.digest) : undefined;
      },
    };
    const { tags } = near;
    const namesImages = writeBack !== undefined && tags !== undefined && far.tags !== undefined;
    this.#tags = namesImages ? new TierTags(near, tags, this.#tier, { writeBack, logger }) : undefined;
    Object.assign(
      this,
      forwardedCapabilities(near, {
        tags: this.#tags ?? tags,
        steps: writeBack && this.#steps,
        fillIfFound: (digest, options) => this.#fillIfFound(digest, options),
      }),
    );
  }

  /** Opens the near cache, and continues writing what earlier processes have left. The far tier is opened at its first use. */
  async initialize(options?: Cancellable): Promise<void> {
    this.#assertOpen();
    await this.near.initialize(options);
    await this.#writeBack?.resume(options);
  }

  isDirty(): boolean {
    return this.near.isDirty();
  }

  async refresh(options?: Cancellable): Promise<boolean> {
    this.#assertOpen();
    return this.near.refresh(options);
  }

  async update(options?: Cancellable): Promise<void> {
    this.#assertOpen();
    await this.near.update(options);
  }

  // Without an asynchronous function of its own, as `moteReader`: looking up what is near must cost nothing more.
  moteExists(digest: Digest, options?: Cancellable): Promise<boolean> {
    if (this.#closing !== undefined) return Promise.reject(closedError());
    return this.near.moteExists(digest, options).then((isNear) => isNear || this.#tier.has(digest, options));
  }

  /** Returns those of the motes that exist, and their sizes in bytes. The far tier is asked for many at once. */
  async existing(digests: Iterable<Digest>, options?: Cancellable): Promise<ReadonlyMap<Digest, number>> {
    this.#assertOpen();
    const sizes = new Map<Digest, number>();
    const missing = new Set(digests);
    await Promise.all(
      [...missing].map(async (digest) => {
        const info = await this.near.find(digest, options);
        if (info === undefined) return;
        missing.delete(digest);
        sizes.set(digest, info.size);
      }),
    );
    for (const [digest, size] of await this.#tier.existing([...missing], options)) sizes.set(digest, size);
    return sizes;
  }

  async find(digest: Digest, options?: Cancellable): Promise<MoteInfo | undefined> {
    this.#assertOpen();
    return (await this.near.find(digest, options)) ?? (await this.#tier.find(digest, options));
  }

  moteRef(digest: Digest): string {
    return this.near.moteRef(digest);
  }

  moteReader(digest: Digest, options: ReadOptions = {}): Promise<MoteReader> {
    if (this.#closing !== undefined) return Promise.reject(closedError());
    return this.near.moteReader(digest, options).catch((error: unknown) => {
      if (!isNotFound(error)) throw error;
      return this.#fills.read(digest, options);
    });
  }

  async moteReaderAt(digest: Digest, options: Cancellable = {}): Promise<MoteReaderAt> {
    this.#assertOpen();
    try {
      return await this.near.moteReaderAt(digest, options);
    } catch (error) {
      if (!isNotFound(error)) throw error;
      if ((await this.#tier.find(digest, options)) === undefined) throw error;
      return this.#tier.readAt(digest, options);
    }
  }

  /**
   * Fetches a mote from the far tier, unless the near cache has it. Returns whether it was fetched.
   * @throws MOTE_NOT_FOUND · MOTE_CORRUPT · MOTE_UNREACHABLE · what the near cache throws
   */
  async fill(digest: Digest, options: FillOptions = {}): Promise<boolean> {
    this.#assertOpen();
    if (await this.near.moteExists(digest, options)) return false;
    try {
      await this.#fills.fill(digest, options);
    } catch (error) {
      throw error instanceof CacheError ? error.cause : error;
    }
    return true;
  }

  async createMote(digest: Digest, mediaType: string, size?: number, options?: Cancellable): Promise<Mote> {
    this.#assertOpen();
    const mote = await this.near.createMote(digest, mediaType, size, options);
    this.#mediaTypes.set(digest, mediaType);
    return mote;
  }

  async moteWriter(digest: Digest, options?: Cancellable): Promise<MoteWriter> {
    this.#assertOpen();
    const writer = await this.near.moteWriter(digest, options);
    if (this.#writeBack === undefined) return writer;
    const mediaType = this.#mediaTypes.get(digest) ?? mediaTypes.octetStream;
    return new TierWriter(writer, { digest, mediaType }, this.#steps);
  }

  async commitMote(source: string, mote: Mote, mode: CommitMode, options?: Cancellable): Promise<void> {
    this.#assertOpen();
    const store = () => this.near.commitMote(source, mote, mode, options);
    if (this.#writeBack === undefined || !isDigest(mote.digest)) return store();
    await commit(mote, this.#steps, store);
  }

  async removeMote(digest: Digest, options?: RemoveOptions): Promise<void> {
    this.#assertOpen();
    await this.near.removeMote(digest, options);
  }

  async prune(maxSize: number, options?: PruneOptions): Promise<PruneReport> {
    this.#assertOpen();
    return this.near.prune(maxSize, options);
  }

  /** Waits until everything is written to the far tier, or that has failed: a warning and the report say what waits. */
  async drain(options: Cancellable = {}): Promise<WriteReport> {
    const report = await this.#writeBack?.drain(options);
    await untilAborted(this.#tags?.settled() ?? Promise.resolve(), options.signal);
    return report ?? nothingWritten;
  }

  /** Drains, and closes both tiers unless they are to be left open. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#end();
    await this.#closing;
  }

  async #end(): Promise<void> {
    await this.drain();
    this.#writeBack?.abort();
    this.#tags?.close();
    if (this.#keepOpen) return;
    await this.near[Symbol.asyncDispose]();
    await this.far[Symbol.asyncDispose]?.();
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) throw closedError();
  }

  async #fillIfFound(digest: Digest, options?: Cancellable): Promise<boolean> {
    this.#assertOpen();
    if ((await this.#tier.find(digest, options)) === undefined) return false;
    await this.fill(digest, options);
    return true;
  }
}

function closedError(): MoteError {
  return new MoteError("MOTE_CLOSED", "the cache is closed; open another one");
}
