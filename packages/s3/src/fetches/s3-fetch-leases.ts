import {
  type AcquireFetchLeaseOptions,
  assertAcquireArguments,
  assertFetchLeaseOptions,
  assertFetchSecret,
  BoundedMap,
  type Cancellable,
  type Digest,
  type FetchLease,
  type FetchLeases,
  isFetchSecret,
  MoteError,
  parseDigest,
  parseJsonRecord,
  type RenewFetchLeaseOptions,
} from "@mote/core";
import { jsonBytes } from "../bucket/bucket.js";
import type { CacheBucket } from "../bucket/cache-bucket.js";
import { ConditionalWrites, type SmallObject } from "./conditional-writes.js";
import { formatLeaseRecord, type LeaseRecord, parseLeaseRecord, validLease } from "./lease-record.js";

/** Leases that were seen last: their objects are replaced without reading them again. */
const maxSeen = 1_000;
/** Times that a lease is decided again because its object has changed meanwhile; each time, another member has changed it. */
const maxTries = 20;

/** Leases of fetches in a bucket: a small object for each digest, which is replaced only if it has not changed. The server's clock decides. */
export class S3FetchLeases implements FetchLeases {
  readonly #from: CacheBucket;
  readonly #writes: ConditionalWrites;
  readonly #seen = new BoundedMap<Digest, SmallObject>(maxSeen);
  #isClosed = false;

  /** @internal */
  constructor(from: CacheBucket) {
    this.#from = from;
    this.#writes = new ConditionalWrites(from);
  }

  async acquire(digest: Digest, holder: string, options: AcquireFetchLeaseOptions): Promise<FetchLease> {
    assertAcquireArguments(digest, holder, options);
    const { durationMs, replaces } = options;
    await this.#prepare(options);
    // A blob that is new to this member is most often new to the others too, so that nothing is read before the object is created.
    let found = this.#seen.has(digest) ? await this.#read(digest, options) : undefined;
    for (let tries = 0; tries < maxTries; tries++) {
      const record = found && parseLeaseRecord(digest, found);
      const held = validLease(record, found?.ageMs);
      if (held !== undefined && held.holder !== holder && held.token !== replaces) return held;
      // Grows also after the object was removed.
      const token = Math.max((record?.token ?? 0) + 1, Date.now());
      const lease = { digest, holder, token, isStored: false };
      found = await this.#replace(digest, found, { token, lease, durationMs, renewals: 0 }, options);
      const now = found && parseLeaseRecord(digest, found)?.lease;
      if (now?.token === token && now.holder === holder) return now;
    }
    throw contended(digest);
  }

  async renew(lease: FetchLease, options: RenewFetchLeaseOptions): Promise<boolean> {
    assertFetchLeaseOptions(options);
    const { durationMs, isStored } = options;
    return await this.#change(lease, options, ({ lease: held = lease, renewals = 0, token }) => ({
      ...{ token, durationMs, renewals: renewals + 1 },
      lease: { ...held, isStored: isStored ?? held.isStored },
    }));
  }

  async release(lease: FetchLease, options: Cancellable = {}): Promise<void> {
    // The object stays, with the token, until prune removes it: not every service removes objects on a condition.
    await this.#change(lease, options, ({ token }) => ({ token }));
  }

  async secret(proposed: string, options: Cancellable = {}): Promise<string> {
    assertFetchSecret(proposed);
    await this.#prepare(options);
    const key = this.#from.keys.fetchSecret;
    const what = "find the secret of the fleet";
    const stored =
      (await this.#writes.read(key, what, options)) ??
      (await this.#writes.replace(key, undefined, jsonBytes({ secret: proposed }), { ...options, what }));
    const secret = stored && parseJsonRecord(stored.bytes)?.secret;
    if (!isFetchSecret(secret))
      throw new MoteError("MOTE_IO", `cannot ${what}: ${key} is damaged; remove the object`, { details: { key } });
    return secret;
  }

  /** Ends the use of the leases, not that of the cache. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    this.#seen.clear();
  }

  /** Replaces the object of a lease while the lease is held. Returns false if it is held no more. */
  async #change(
    lease: FetchLease,
    options: Cancellable,
    changed: (record: LeaseRecord) => LeaseRecord,
  ): Promise<boolean> {
    const { digest, holder, token } = lease;
    parseDigest(digest);
    await this.#prepare(options);
    const isHeld = (record: LeaseRecord | undefined) => record?.token === token && record.lease?.holder === holder;
    let found = this.#seen.get(digest);
    let record = found && parseLeaseRecord(digest, found);
    if (!isHeld(record)) {
      found = await this.#read(digest, options);
      record = found && parseLeaseRecord(digest, found);
    }
    for (let tries = 0; tries < maxTries; tries++) {
      if (record === undefined || !isHeld(record)) return false;
      const next = changed(record);
      const written = formatLeaseRecord(digest, next);
      found = await this.#replace(digest, found, next, options);
      if (found !== undefined && Buffer.compare(found.bytes, written) === 0) return true;
      record = found && parseLeaseRecord(digest, found);
    }
    throw contended(digest);
  }

  async #read(digest: Digest, options: Cancellable): Promise<SmallObject | undefined> {
    return this.#remember(digest, await this.#writes.read(this.#keyOf(digest), "read the lease of a fetch", options));
  }

  async #replace(
    digest: Digest,
    before: SmallObject | undefined,
    record: LeaseRecord,
    { signal }: Cancellable,
  ): Promise<SmallObject | undefined> {
    const what = "write the lease of a fetch";
    const bytes = formatLeaseRecord(digest, record);
    return this.#remember(digest, await this.#writes.replace(this.#keyOf(digest), before, bytes, { what, signal }));
  }

  #remember(digest: Digest, found: SmallObject | undefined): SmallObject | undefined {
    if (found === undefined) this.#seen.delete(digest);
    else this.#seen.set(digest, found);
    return found;
  }

  #keyOf(digest: Digest): string {
    return this.#from.keys.of("fetches", digest);
  }

  async #prepare({ signal }: Cancellable): Promise<void> {
    if (this.#isClosed) throw new MoteError("MOTE_CLOSED", "the leases are closed");
    await this.#from.ready({ signal, toWrite: true });
  }
}

function contended(digest: Digest): MoteError {
  return new MoteError("MOTE_IO", `the lease of ${digest} keeps changing; try again later`);
}
