import {
  childDescriptors,
  type Digest,
  type Lease,
  type Leases,
  type Logger,
  MoteError,
  parseManifest,
} from "@mote/core";

/** Manifests that are held at once: beyond it, the one that was not asked for the longest is released. */
const mostHeld = 1000;

interface Held {
  readonly digests: ReadonlySet<Digest>;
  readonly leasing: Promise<Lease>;
  /** By the clock of `performance`. */
  untilMs: number;
}

/**
 * Leases on what clients were given the manifest of: they come back for its blobs, and a prune must not have been there first. Each ends
 * `holdMs` after the manifest, or one of its blobs, was last asked for. There is one timer for all.
 */
export class ManifestLeases {
  readonly #source: Partial<Leases>;
  readonly #holdMs: number;
  readonly #logger: Logger;
  /** In the order in which they end. */
  readonly #held = new Map<Digest, Held>();
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(source: Partial<Leases>, { holdMs, logger }: { readonly holdMs: number; readonly logger: Logger }) {
    this.#source = source;
    this.#holdMs = holdMs;
    this.#logger = logger;
  }

  /** Call it before the manifest is given, and look afterwards whether it is still there: then so is what it names. */
  async hold(digest: Digest, mediaType: string, bytes: Uint8Array): Promise<void> {
    if (this.#source.lease === undefined || this.#holdMs === 0 || this.#isClosed) return;
    let held = this.#held.get(digest);
    if (held === undefined) {
      const digests = new Set([digest, ...childrenOf(bytes, mediaType)]);
      held = { digests, leasing: this.#source.lease(digests), untilMs: 0 };
    }
    this.#renew(digest, held);
    try {
      await held.leasing;
    } catch (error) {
      // A cache that is only read has nobody who prunes it, either.
      this.#logger.debug("what a manifest names cannot be held", { digest, error });
      // The next request tries again.
      if (this.#held.get(digest) === held) this.#held.delete(digest);
    }
    const [oldest] = this.#held.keys();
    if (this.#held.size > mostHeld && oldest !== undefined) void this.#release(oldest);
  }

  /** A blob is asked for: whoever does may want the others, too. */
  touch(blob: Digest): void {
    const those = [...this.#held].filter(([, { digests }]) => digests.has(blob));
    for (const [digest, held] of those) this.#renew(digest, held);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await Promise.all([...this.#held.keys()].map((digest) => this.#release(digest)));
  }

  #renew(digest: Digest, held: Held): void {
    held.untilMs = performance.now() + this.#holdMs;
    this.#held.delete(digest);
    this.#held.set(digest, held);
    this.#timer ??= setTimeout(() => this.#releaseDue(), this.#holdMs).unref();
  }

  #releaseDue(): void {
    this.#timer = undefined;
    for (const [digest, { untilMs }] of this.#held) {
      const leftMs = untilMs - performance.now();
      if (leftMs > 0) {
        this.#timer = setTimeout(() => this.#releaseDue(), leftMs).unref();
        return;
      }
      void this.#release(digest);
    }
  }

  async #release(digest: Digest): Promise<void> {
    const held = this.#held.get(digest);
    this.#held.delete(digest);
    try {
      await (await held?.leasing)?.release();
    } catch (error) {
      this.#logger.debug("a lease could not be given back", { digest, error });
    }
  }
}

/** None of what is no manifest that is known here: that has no blobs to come back for. */
function childrenOf(bytes: Uint8Array, mediaType: string): Digest[] {
  try {
    return childDescriptors(parseManifest(bytes, mediaType)).map(({ digest }) => digest);
  } catch (error) {
    if (MoteError.isInstance(error)) return [];
    throw error;
  }
}
