import {
  type BlobOptions,
  type Descriptor,
  type FetchLease,
  hasCode,
  inTime,
  type Logger,
  MoteError,
  type MoteReader,
  type MoteSource,
  ReadOnceReader,
  reasonOf,
  resumeChunks,
} from "@mote/core";
import type { FillSource } from "../upstream-source.js";
import type { GuardedLeases } from "./guarded-leases.js";
import type { FleetMembers, MemberCounts } from "./members.js";

/** Milliseconds for which a lease is held without being renewed, and after which it is renewed. */
const holdMs = 15_000;
const renewMs = 5_000;
/** Milliseconds for which a member that has stored a blob is asked for it by those that do not find it in the tier. */
const storedMs = 24 * 60 * 60 * 1000;
/** Milliseconds for the tier to respond. */
const tierMs = 10_000;
/** How often a fetch is continued from a member. Beyond that, the upstream is read. */
const maxMembersAsked = 8;

type Tier = Pick<MoteSource, "moteReader">;

export interface FleetFetchDependencies {
  readonly leases: GuardedLeases;
  readonly members: FleetMembers;
  readonly counts: MemberCounts;
  /** The URL at which the other members reach this one. */
  readonly url: string;
  readonly tier: Tier | undefined;
  /** Called before bytes are read from the upstream, or from a member or the tier. */
  readonly onOrigin: (isUpstream: boolean) => void;
  readonly logger: Logger;
}

/** From where the rest of a blob is read. */
type Origin =
  | { readonly kind: "upstream" }
  | { readonly kind: "tier"; readonly tier: Tier }
  | { readonly kind: "member"; readonly lease: FetchLease };

/**
 * The source of one fetch: the upstream if this member holds the lease of the blob, otherwise the holder. If the holder fails, the fetch continues at
 * the byte that was reached, from the next holder or from the upstream. The bytes are not verified.
 */
export class FleetFetch implements FillSource {
  readonly #with: FleetFetchDependencies;
  readonly #descriptor: Descriptor;
  readonly #upstream: FillSource;
  /** The lease that this member holds. */
  #held: FetchLease | undefined;
  #renewal: NodeJS.Timeout | undefined;
  #renewing: Promise<void> | undefined;
  /** The lease of the member that was asked last. */
  #followed: FetchLease | undefined;
  /** The token of the holder that failed or sent wrong bytes. */
  #replaces: number | undefined;
  #membersAsked = 0;
  #hasAskedTier = false;
  /** Whether wrong bytes came: then only the upstream is asked. */
  #isDistrustful = false;
  #isEnded = false;

  constructor(descriptor: Descriptor, upstream: FillSource, dependencies: FleetFetchDependencies) {
    this.#with = dependencies;
    this.#descriptor = descriptor;
    this.#upstream = upstream;
  }

  get servesRanges(): boolean {
    return this.#upstream.servesRanges ?? false;
  }

  /** @throws MOTE_RANGE_REFUSED if another member is to send the blob: in one stream, while it receives it */
  async blob(descriptor: Descriptor, options: BlobOptions = {}): Promise<MoteReader> {
    if (options.ranges !== undefined && !(await this.#mayReadUpstream(options.signal))) {
      const { digest } = descriptor;
      throw new MoteError("MOTE_RANGE_REFUSED", `another member of the fleet fetches ${digest}`, {
        details: { digest },
      });
    }
    return new FleetReader(descriptor, () => this.#chunks(options));
  }

  /** After wrong bytes, the blob is read from the upstream alone. */
  reportCorruption(descriptor: Descriptor): boolean {
    const { counts, logger } = this.#with;
    const followed = this.#followed;
    if (followed === undefined || this.#isDistrustful) return this.#upstream.reportCorruption?.(descriptor) ?? false;
    this.#isDistrustful = true;
    this.#replaces = followed.token;
    counts.failed(followed.holder);
    logger.warn(`a blob from the fleet's member ${followed.holder} has wrong bytes; fetching it from the upstream`, {
      digest: descriptor.digest,
    });
    return true;
  }

  /** Ends the fetch: others may read the blob here if it is stored, or fetch it themselves. */
  async end(isStored: boolean): Promise<void> {
    this.#isEnded = true;
    clearInterval(this.#renewal);
    // One that arrives after the last change would shorten the lease of a stored blob.
    await this.#renewing;
    const held = this.#held;
    this.#held = undefined;
    if (held === undefined) return;
    const { leases } = this.#with;
    if (isStored) await leases.renew(held, { durationMs: storedMs, isStored });
    else await leases.release(held);
  }

  async *#chunks(options: BlobOptions): AsyncGenerator<Uint8Array, void, undefined> {
    const { start = 0 } = options;
    const { size } = this.#descriptor;
    let origin = await this.#nextOrigin(options);
    yield* resumeChunks(this.#read(origin, { ...options, start }), start, async (end) => {
      const { offset, failure } = end;
      options.signal?.throwIfAborted();
      if (origin.kind === "upstream" && failure !== undefined) throw failure.error;
      // If the upstream ended early, the caller reports that.
      if (origin.kind === "upstream" || offset === size) return undefined;
      const error = failure?.error ?? this.#endedEarly(offset);
      this.#failed(origin, { error, isProgress: offset > end.start });
      const isStored = origin.kind === "member" && origin.lease.isStored;
      origin = await this.#nextOrigin({ ...options, mayAskTier: isStored });
      return this.#read(origin, { ...options, start: offset });
    });
  }

  /** `mayAskTier`: the holder had stored the blob, and so may have written it to the tier. */
  async #nextOrigin({ signal, mayAskTier = false }: BlobOptions & { readonly mayAskTier?: boolean }): Promise<Origin> {
    const { url, tier } = this.#with;
    if (mayAskTier && tier !== undefined && !this.#hasAskedTier && !this.#isDistrustful) {
      this.#hasAskedTier = true;
      return { kind: "tier", tier };
    }
    if (this.#held !== undefined) return { kind: "upstream" };
    const lease = await this.#acquire(signal);
    if (lease === undefined) return { kind: "upstream" };
    if (lease.holder === url) {
      await this.#hold(lease);
      return { kind: "upstream" };
    }
    this.#membersAsked++;
    this.#followed = lease;
    return { kind: "member", lease };
  }

  /** Tries to acquire the lease. Returns whether no other member is to be asked. */
  async #mayReadUpstream(signal: AbortSignal | undefined): Promise<boolean> {
    if (this.#held !== undefined || this.#isDistrustful) return true;
    const { leases, url } = this.#with;
    const options = { durationMs: holdMs, replaces: this.#replaces, signal };
    const lease = await leases.acquire(this.#descriptor.digest, url, options);
    if (lease?.holder === url) await this.#hold(lease);
    return lease === undefined || lease.holder === url;
  }

  /** Returns the lease of this member, or that of a holder to ask. Replaces a holder that could not be reached lately. */
  async #acquire(signal: AbortSignal | undefined): Promise<FetchLease | undefined> {
    const { leases, url, counts } = this.#with;
    const mayAsk = !this.#isDistrustful && this.#membersAsked < maxMembersAsked;
    let replaces = this.#replaces;
    for (let attempt = 1; attempt <= 2; attempt++) {
      const lease = await leases.acquire(this.#descriptor.digest, url, { durationMs: holdMs, replaces, signal });
      if (lease === undefined || lease.holder === url) return lease;
      if (!mayAsk) return undefined;
      if (counts.tryRequest(lease.holder)) return lease;
      replaces = lease.token;
    }
    return undefined;
  }

  /** Yields bytes from one origin. */
  async *#read(
    origin: Origin,
    options: BlobOptions & { readonly start: number },
  ): AsyncGenerator<Uint8Array, void, undefined> {
    this.#with.onOrigin(origin.kind === "upstream");
    if (origin.kind === "member") return yield* this.#readMember(origin.lease, options);
    const opening =
      origin.kind === "tier" ? this.#openTier(origin.tier, options) : this.#upstream.blob(this.#descriptor, options);
    await using reader = await opening;
    yield* reader;
  }

  /** Yields at most the bytes that the blob has. */
  async *#readMember(
    { holder }: FetchLease,
    options: BlobOptions & { readonly start: number },
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const { counts, members } = this.#with;
    let left = this.#descriptor.size - options.start;
    let isReached = false;
    try {
      await using reader = await members.blob(holder, this.#descriptor, options);
      for await (const chunk of reader) {
        isReached = true;
        left -= chunk.byteLength;
        if (left < 0) throw this.#wrongSize(`is longer than ${this.#descriptor.size} bytes`);
        counts.received(holder, chunk.byteLength);
        yield chunk;
      }
    } finally {
      counts.ended(holder, { isReached });
    }
  }

  async #openTier(tier: Tier, { start, reuse, signal }: BlobOptions): Promise<MoteReader> {
    const { digest } = this.#descriptor;
    const opening = tier.moteReader(digest, { start, reuse, signal });
    const late = () => new MoteError("MOTE_TIMEOUT", `the tier has not responded within ${tierMs / 1000} s`);
    try {
      return await inTime(() => opening, { ms: tierMs, signal, late });
    } catch (error) {
      opening.then((reader) => reader.close()).catch(() => {});
      throw error;
    }
  }

  #failed(origin: Origin, { error, isProgress }: { readonly error: unknown; readonly isProgress: boolean }): void {
    const { counts, logger } = this.#with;
    const { digest } = this.#descriptor;
    if (origin.kind !== "member") {
      if (!hasCode(error, "MOTE_NOT_FOUND"))
        logger.debug("the tier failed in the place of a member", { digest, error });
      return;
    }
    const { holder, token } = origin.lease;
    // A connection that was cut is opened again before its holder is replaced.
    this.#replaces = isProgress && !hasCode(error, "MOTE_TIMEOUT") ? undefined : token;
    counts.failed(holder, error);
    const isRejection = hasCode(error, "MOTE_UNAUTHORIZED") && counts.rejected(holder);
    const reason = isRejection ? error.message : reasonOf(error);
    logger[isRejection ? "warn" : "info"](`cannot read from the fleet's member ${holder}: ${reason}`, {
      digest,
      error,
    });
  }

  async #hold(lease: FetchLease): Promise<void> {
    if (this.#isEnded) return this.#with.leases.release(lease);
    this.#held = lease;
    clearInterval(this.#renewal);
    this.#renewal = setInterval(() => {
      this.#renewing = this.#renew(lease);
    }, renewMs).unref();
  }

  async #renew(lease: FetchLease): Promise<void> {
    const isHeld = await this.#with.leases.renew(lease, { durationMs: holdMs });
    // The fetch continues, and another member may fetch the blob, too.
    if (isHeld === false) clearInterval(this.#renewal);
  }

  #endedEarly(offset: number): MoteError {
    return this.#wrongSize(`ended after ${offset} of ${this.#descriptor.size} bytes`);
  }

  #wrongSize(what: string): MoteError {
    const { digest } = this.#descriptor;
    return new MoteError("MOTE_SIZE_MISMATCH", `${digest} from a member of the fleet ${what}`, { details: { digest } });
  }
}

class FleetReader extends ReadOnceReader {
  readonly #open: () => AsyncIterator<Uint8Array, void, undefined>;

  constructor(descriptor: Descriptor, open: () => AsyncIterator<Uint8Array, void, undefined>) {
    super(descriptor);
    this.#open = open;
  }

  protected chunks(): AsyncIterator<Uint8Array, void, undefined> {
    this.assertOpen();
    return this.#open();
  }
}
