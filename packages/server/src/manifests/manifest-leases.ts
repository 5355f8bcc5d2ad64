import {
  childDescriptors,
  type Digest,
  type Lease,
  type Leases,
  type Logger,
  MoteError,
  parseManifest,
} from "@mote/core";

/** The maximum number of leased manifests. Beyond it, the least recently requested one is released. */
const maxHeldManifests = 1000;

interface HeldLease {
  readonly digests: ReadonlySet<Digest>;
  readonly leasing: Promise<Lease>;
  /** When the lease ends, by `performance.now()`. */
  untilMs: number;
}

/**
 * Leases the content of served manifests, because clients request its blobs next. A lease ends `holdMs` after the manifest or one of its blobs
 * was last requested.
 */
export class ManifestLeases {
  readonly #source: Partial<Leases>;
  readonly #holdMs: number;
  readonly #logger: Logger;
  /** In the order of their ends. */
  readonly #held = new Map<Digest, HeldLease>();
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(source: Partial<Leases>, { holdMs, logger }: { readonly holdMs: number; readonly logger: Logger }) {
    this.#source = source;
    this.#holdMs = holdMs;
    this.#logger = logger;
  }

  /** Leases a manifest and what it refers to. After that, check that the manifest still exists before serving it. */
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
      // A read-only cache cannot lease, but is not pruned either. The next request tries again.
      this.#logger.debug("cannot lease the content of a manifest", { digest, error });
      if (this.#held.get(digest) === held) this.#held.delete(digest);
    }
    const [oldest] = this.#held.keys();
    if (this.#held.size > maxHeldManifests && oldest !== undefined) void this.#release(oldest);
  }

  /** Renews the leases of all manifests that refer to a requested blob. */
  touch(blob: Digest): void {
    const referring = [...this.#held].filter(([, { digests }]) => digests.has(blob));
    for (const [digest, held] of referring) this.#renew(digest, held);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await Promise.all([...this.#held.keys()].map((digest) => this.#release(digest)));
  }

  #renew(digest: Digest, held: HeldLease): void {
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
      this.#logger.debug("cannot release a lease", { digest, error });
    }
  }
}

/** Returns what a manifest refers to, or nothing for invalid manifests. */
function childrenOf(bytes: Uint8Array, mediaType: string): Digest[] {
  try {
    return childDescriptors(parseManifest(bytes, mediaType)).map(({ digest }) => digest);
  } catch (error) {
    if (MoteError.isInstance(error)) return [];
    throw error;
  }
}
