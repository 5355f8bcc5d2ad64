import { randomUUID } from "node:crypto";
import {
  type Cancellable,
  type Digest,
  isDigest,
  type Lease,
  type Logger,
  MoteError,
  parseDigest,
  parseJsonRecord,
} from "@mote/core";
import type { CacheBucket } from "../bucket/cache-bucket.js";
import { pause } from "../http/pause.js";

/** A lease that has not been renewed for so long, by the server's clock, has lapsed. */
const lapseMs = 10 * 60_000;
const renewMs = lapseMs / 4;
/** A prune that has not looked at the leases for so long has ended or died, and removes nothing before it looks again. */
const silentPruneMs = 2 * 60_000;
const pollMs = 100;
/** More digests than an image has; more than one lease may be used. */
const maxDigests = 50_000;

/**
 * Leases as small objects with the leased digests. The server's clock decides which have lapsed. Two objects are written before they are read,
 * by leases and by prunes, so that either a prune sees a new lease or the lease sees the prune and waits until it has looked again.
 */
export class LeaseObjects {
  readonly #from: CacheBucket;
  readonly #live = new Set<BucketLease>();

  constructor(from: CacheBucket) {
    this.#from = from;
  }

  async lease(digests: Iterable<Digest>, { signal }: Cancellable = {}): Promise<Lease> {
    const lease: BucketLease = new BucketLease({
      digests: [...digests].map(parseDigest),
      write: (leased, options) => this.#write(lease.key, leased, options.signal),
      remove: () => this.#from.bucket.remove(lease.key, "release a lease"),
      onEnd: () => this.#live.delete(lease),
      logger: this.#from.logger,
      key: `${this.#from.keys.leases}${randomUUID()}.json`,
    });
    await lease.begin({ signal });
    this.#live.add(lease);
    return lease;
  }

  /** Stops renewing the leases. They end when they lapse. */
  stop(): void {
    for (const lease of this.#live) lease.stop();
  }

  /** Returns all leased digests, and removes leases that have lapsed. */
  async leased({ signal, tidy = true }: Cancellable & { readonly tidy?: boolean } = {}): Promise<Set<Digest>> {
    const leased = new Set<Digest>();
    for await (const { key, modifiedMs, listedMs } of this.#from.bucket.list(
      this.#from.keys.leases,
      "list the leases",
      {
        signal,
      },
    )) {
      if (listedMs - modifiedMs > lapseMs) {
        if (tidy) await this.#from.bucket.remove(key, "remove a lapsed lease", { signal });
        continue;
      }
      const found = await this.#from.bucket.read(key, "read a lease", { signal });
      for (const digest of parseLease(found?.bytes)) leased.add(digest);
    }
    return leased;
  }

  /** Announces a prune. `look` must be awaited before each look at the leases. */
  announcePrune(): { look(options?: Cancellable): Promise<void>; end(): Promise<void> } {
    const key = `${this.#from.keys.prunes}${randomUUID()}.json`;
    let looks = 0;
    return {
      look: async ({ signal } = {}) => {
        await this.#from.bucket.writeJson(key, { look: ++looks }, { what: "announce the prune", signal });
      },
      end: async () => {
        if (looks > 0) await this.#from.bucket.remove(key, "end the prune");
      },
    };
  }

  async #write(key: string, digests: readonly Digest[], signal: AbortSignal | undefined): Promise<void> {
    await this.#from.bucket.writeJson(key, { digests }, { what: "write a lease", signal });
    await this.#awaitPrunes(signal);
  }

  /** Waits until each prune in progress has looked again, has ended or is silent. */
  async #awaitPrunes(signal: AbortSignal | undefined): Promise<void> {
    const first = await this.#prunes(signal);
    for (let waiting = first; waiting.size > 0; ) {
      await pause(pollMs, signal);
      const now = await this.#prunes(signal);
      waiting = new Map([...waiting].filter(([key, etag]) => now.get(key) === etag));
    }
  }

  async #prunes(signal: AbortSignal | undefined): Promise<Map<string, string>> {
    const prunes = new Map<string, string>();
    for await (const { key, etag, modifiedMs, listedMs } of this.#from.bucket.list(
      this.#from.keys.prunes,
      "list the prunes",
      {
        signal,
      },
    )) {
      if (listedMs - modifiedMs <= silentPruneMs) prunes.set(key, etag);
    }
    return prunes;
  }
}

/** How long a prune may remove after a look: less than others wait for it. */
export const removalMs = silentPruneMs / 4;

interface LeaseParts {
  readonly key: string;
  readonly digests: readonly Digest[];
  readonly logger: Logger;
  write(digests: readonly Digest[], options: Cancellable): Promise<void>;
  remove(): Promise<void>;
  onEnd(): void;
}

class BucketLease implements Lease {
  readonly #parts: LeaseParts;
  readonly #digests: Set<Digest>;
  #timer: NodeJS.Timeout | undefined;
  #renewed = { steadyMs: 0, wallMs: 0 };
  #writing: Promise<void> = Promise.resolve();
  #isReleased = false;

  constructor(parts: LeaseParts) {
    this.#parts = parts;
    this.#digests = new Set(parts.digests);
  }

  get key(): string {
    return this.#parts.key;
  }

  async begin(options: Cancellable): Promise<void> {
    await this.#write(options);
    this.#timer = setInterval(() => {
      this.renew().catch((error: unknown) => this.#parts.logger.warn("cannot renew a lease in the bucket", { error }));
    }, renewMs);
    this.#timer.unref();
  }

  async add(digest: Digest): Promise<void> {
    parseDigest(digest);
    if (this.#isReleased) throw new MoteError("MOTE_CLOSED", "the lease was released");
    if (this.#digests.has(digest)) return await this.#writing;
    this.#digests.add(digest);
    await this.#write();
  }

  async renew(): Promise<boolean> {
    if (this.#isReleased) return false;
    const { steadyMs, wallMs } = this.#renewed;
    // The monotonic clock stops while a machine sleeps, the other may be set.
    const isValid = Math.max(performance.now() - steadyMs, Date.now() - wallMs) < lapseMs;
    await this.#write();
    return isValid;
  }

  async release(): Promise<void> {
    if (this.#isReleased) return;
    this.#isReleased = true;
    this.stop();
    this.#parts.onEnd();
    await this.#writing.catch(() => {});
    await this.#parts.remove();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Writes one after the other, each with all digests so far: calls that wait share the next write. */
  #write(options: Cancellable = {}): Promise<void> {
    if (this.#digests.size > maxDigests)
      throw new MoteError("MOTE_TOO_LARGE", `a lease has at most ${maxDigests} digests; use several`);
    const earlier = this.#writing;
    const writing = earlier
      .catch(() => {})
      .then(async () => {
        if (this.#isReleased) return;
        const began = { steadyMs: performance.now(), wallMs: Date.now() };
        await this.#parts.write([...this.#digests], options);
        this.#renewed = began;
      });
    writing.catch(() => {});
    this.#writing = writing;
    return writing;
  }
}

/** A lease that cannot be read protects nothing; it was written by another program. */
function parseLease(bytes: Uint8Array | undefined): readonly Digest[] {
  if (bytes === undefined) return [];
  const body = parseJsonRecord(bytes);
  return Array.isArray(body?.digests) ? body.digests.filter(isDigest) : [];
}
