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
export function manifestLeases(
  source: Partial<Leases>,
  { holdMs, logger }: { readonly holdMs: number; readonly logger: Logger },
) {
  /** In the order of their ends. */
  const leased = new Map<Digest, HeldLease>();
  let timer: NodeJS.Timeout | undefined;
  let isClosed = false;

  /** Leases a manifest and what it refers to. After that, check that the manifest still exists before serving it. */
  async function hold(digest: Digest, mediaType: string, bytes: Uint8Array): Promise<void> {
    if (source.lease === undefined || holdMs === 0 || isClosed) return;
    let held = leased.get(digest);
    if (held === undefined) {
      const digests = new Set([digest, ...childrenOf(bytes, mediaType)]);
      held = { digests, leasing: source.lease(digests), untilMs: 0 };
    }
    renew(digest, held);
    try {
      await held.leasing;
    } catch (error) {
      // A read-only cache cannot lease, but is not pruned either. The next request tries again.
      logger.debug("cannot lease the content of a manifest", { digest, error });
      if (leased.get(digest) === held) leased.delete(digest);
    }
    const [oldest] = leased.keys();
    if (leased.size > maxHeldManifests && oldest !== undefined) void release(oldest);
  }

  /** Renews the leases of all manifests that refer to a requested blob. */
  function touch(blob: Digest): void {
    const referring = [...leased].filter(([, { digests }]) => digests.has(blob));
    for (const [digest, held] of referring) renew(digest, held);
  }

  async function close(): Promise<void> {
    isClosed = true;
    clearTimeout(timer);
    await Promise.all([...leased.keys()].map((digest) => release(digest)));
  }

  function renew(digest: Digest, held: HeldLease): void {
    held.untilMs = performance.now() + holdMs;
    leased.delete(digest);
    leased.set(digest, held);
    timer ??= setTimeout(() => releaseDue(), holdMs).unref();
  }

  function releaseDue(): void {
    timer = undefined;
    for (const [digest, { untilMs }] of leased) {
      const leftMs = untilMs - performance.now();
      if (leftMs > 0) {
        timer = setTimeout(() => releaseDue(), leftMs).unref();
        return;
      }
      void release(digest);
    }
  }

  async function release(digest: Digest): Promise<void> {
    const held = leased.get(digest);
    leased.delete(digest);
    try {
      await (await held?.leasing)?.release();
    } catch (error) {
      logger.debug("cannot release a lease", { digest, error });
    }
  }

  return { hold, touch, close };
}

export type ManifestLeases = ReturnType<typeof manifestLeases>;

/** Returns what a manifest refers to, or nothing for invalid manifests. */
function childrenOf(bytes: Uint8Array, mediaType: string): Digest[] {
  try {
    return childDescriptors(parseManifest(bytes, mediaType)).map(({ digest }) => digest);
  } catch (error) {
    if (MoteError.isInstance(error)) return [];
    throw error;
  }
}
