import {
  childDescriptors,
  type Digest,
  type Lease,
  type Leases,
  type Logger,
  MoteError,
  parseManifest,
} from "@mote/core";

/** More manifests than this are not held at once: who was given the oldest has had his time. */
const mostHeld = 1000;

interface Held {
  readonly digests: ReadonlySet<Digest>;
  readonly leasing: Promise<Lease>;
  timer: NodeJS.Timeout | undefined;
}

/**
 * Leases on what clients were given the manifest of: they come back for its blobs, and a prune must not have been there first. Each ends
 * `holdMs` after the manifest, or one of its blobs, was last asked for.
 */
export class GivenManifests {
  readonly #source: Partial<Leases>;
  readonly #holdMs: number;
  readonly #logger: Logger;
  readonly #held = new Map<Digest, Held>();

  constructor(source: Partial<Leases>, { holdMs, logger }: { readonly holdMs: number; readonly logger: Logger }) {
    this.#source = source;
    this.#holdMs = holdMs;
    this.#logger = logger;
  }

  /** Call it before the manifest is given, and look afterwards whether it is still there: then so is what it names. */
  async hold(digest: Digest, mediaType: string, bytes: Uint8Array): Promise<void> {
    if (this.#source.lease === undefined || this.#holdMs === 0) return;
    let held = this.#held.get(digest);
    if (held === undefined) {
      const digests = new Set([digest, ...childrenOf(bytes, mediaType)]);
      held = { digests, leasing: this.#source.lease(digests), timer: undefined };
      this.#held.set(digest, held);
    }
    this.#renew(digest, held);
    try {
      await held.leasing;
    } catch (error) {
      // A cache that is only read has nobody who prunes it, either.
      this.#logger.debug("what a manifest names cannot be held", { digest, error });
    }
    const [oldest] = this.#held.keys();
    if (this.#held.size > mostHeld && oldest !== undefined) this.#release(oldest);
  }

  /** A blob is asked for: whoever does may want the others, too. */
  touch(blob: Digest): void {
    for (const [digest, held] of this.#held) if (held.digests.has(blob)) this.#renew(digest, held);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#held.keys()].map((digest) => this.#release(digest)));
  }

  #renew(digest: Digest, held: Held): void {
    clearTimeout(held.timer);
    held.timer = setTimeout(() => void this.#release(digest), this.#holdMs).unref();
  }

  async #release(digest: Digest): Promise<void> {
    const held = this.#held.get(digest);
    this.#held.delete(digest);
    clearTimeout(held?.timer);
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
