import {
  type Cancellable,
  type Descriptor,
  type Digest,
  type GraphNode,
  hasCode,
  isNotFound,
  type ListTagsOptions,
  type Logger,
  type ManifestChildren,
  type MoteCache,
  manifestChildren,
  readClosure,
  readManifest,
  type Tag,
  type TagStore,
  type UntagOptions,
} from "@mote/core";
import type { FarTier } from "./far-tier.js";
import type { WriteBack } from "./write-back.js";

/** Names that are set in the far tier at once; a further one waits for the first. */
const maxPending = 1_000;
/** Names that wait until the far tier has their content. */
const maxWaiting = 1_000;
/** A name is tried again after this time, which doubles up to the longest one. */
const firstRetryMs = 5_000;
const maxRetryMs = 300_000;
const maxAttempts = 12;

interface FarName {
  readonly name: string;
  readonly descriptor: Descriptor;
  attempts: number;
  /** What the far tier lacked. */
  missing: Digest | undefined;
  timer: NodeJS.Timeout | undefined;
}

/**
 * The tags of the near cache, which are also set in the far tier, so that its content is listed and pruned by image. They are never read from
 * there: who may write to a shared tier must not decide what a name means.
 */
export class TierTags implements TagStore {
  readonly #cache: MoteCache;
  readonly #near: TagStore;
  readonly #far: FarTier;
  readonly #writeBack: WriteBack;
  readonly #logger: Logger;
  readonly #pending = new Set<Promise<void>>();
  readonly #waiting = new Set<FarName>();

  constructor(
    cache: MoteCache,
    near: TagStore,
    far: FarTier,
    options: { readonly writeBack: WriteBack; readonly logger: Logger },
  ) {
    this.#cache = cache;
    this.#near = near;
    this.#far = far;
    this.#writeBack = options.writeBack;
    this.#logger = options.logger;
  }

  resolve(name: string, options?: Cancellable): Promise<Descriptor | undefined> {
    return this.#near.resolve(name, options);
  }

  async tag(name: string, descriptor: Descriptor, options?: Cancellable): Promise<void> {
    const before = await this.#near.resolve(name, options);
    await this.#near.tag(name, descriptor, options);
    if (before?.digest === descriptor.digest) return;
    if (this.#pending.size >= maxPending) await Promise.race(this.#pending);
    this.#begin({ name, descriptor, attempts: 0, missing: undefined, timer: undefined });
  }

  untag(name: string, options?: UntagOptions): Promise<void> {
    return this.#near.untag(name, options);
  }

  list(options?: ListTagsOptions): AsyncIterable<Tag> {
    return this.#near.list(options);
  }

  /** Tries all names that wait, and returns when each is set, or waits for its content, or has failed. */
  async settled(): Promise<void> {
    for (const waiting of this.#waiting) this.#begin(waiting);
    while (this.#pending.size > 0) await Promise.all(this.#pending);
  }

  /** Sets no name that still waits. */
  close(): void {
    for (const { timer } of this.#waiting) clearTimeout(timer);
    this.#waiting.clear();
  }

  #begin(name: FarName): void {
    clearTimeout(name.timer);
    this.#waiting.delete(name);
    const setting = this.#set(name).finally(() => this.#pending.delete(setting));
    this.#pending.add(setting);
  }

  /** A name is set after everything that was waiting before it is written, and only if the tier has its content. */
  async #set(waiting: FarName): Promise<void> {
    const { name, descriptor } = waiting;
    await this.#writeBack.settledSoFar();
    try {
      if ((await this.#near.resolve(name))?.digest !== descriptor.digest) return;
      waiting.missing = await this.#missing(waiting);
      if (waiting.missing !== undefined || this.#writeBack.isReadOnly) return this.#wait(waiting);
      await this.#far.request(async ({ tags }, signal) => {
        const known = await tags?.resolve(name, { signal });
        if (known?.digest !== descriptor.digest) await tags?.tag(name, descriptor, { signal });
      });
    } catch (error) {
      // Who may only read from the tier loses nothing by it.
      if (hasCode(error, "MOTE_UNWRITABLE")) return;
      this.#logger.warn("cannot set a name in the tier; it lists the image without it", { name, error });
    }
  }

  /** Other machines of a fleet may not have written yet what this one has followed. */
  #wait(waiting: FarName): void {
    if (waiting.attempts === maxAttempts || this.#waiting.size >= maxWaiting) {
      const { name, missing } = waiting;
      this.#logger.debug("the tier lacks some of an image; it lists the image without its name", { name, missing });
      return;
    }
    const delayMs = Math.min(firstRetryMs * 2 ** waiting.attempts++, maxRetryMs);
    waiting.timer = setTimeout(() => this.#begin(waiting), delayMs).unref();
    this.#waiting.add(waiting);
  }

  /** Returns a part of the image that the near cache has and the tier lacks. Parts that neither has are those of other platforms. */
  async #missing({ descriptor, missing, attempts }: FarName): Promise<Digest | undefined> {
    // What the tier lacked is asked for again.
    const forget = (digest: Digest) => attempts > 0 && this.#far.forget(digest);
    const first = missing ?? descriptor.digest;
    forget(first);
    if (!(await this.#far.has(first))) return first;
    const digests = [...(await readClosure(descriptor, (node) => this.#children(node))).digests];
    const isNear = await Promise.all(digests.map((digest) => this.#cache.moteExists(digest)));
    const needed = digests.filter((_, at) => isNear[at]);
    needed.forEach(forget);
    const inTier = await this.#far.existing(needed);
    return needed.find((digest) => !inTier.has(digest));
  }

  async #children(node: GraphNode): Promise<ManifestChildren | undefined> {
    try {
      return manifestChildren(await readManifest(this.#cache, node, { countsAsUse: false }));
    } catch (error) {
      if (isNotFound(error) || hasCode(error, "MOTE_INVALID_MANIFEST", "MOTE_TOO_LARGE")) return undefined;
      throw error;
    }
  }
}
