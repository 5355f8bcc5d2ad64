import type { Cancellable } from "./cancellable.js";
import { type Digest, parseDigest } from "./digest.js";
import { MoteError } from "./error.js";
import {
  type AcquireFetchLeaseOptions,
  assertAcquireArguments,
  assertFetchLeaseOptions,
  assertFetchSecret,
  type FetchLease,
  type FetchLeaseOptions,
  type FetchLeases,
  type RenewFetchLeaseOptions,
} from "./fetch-leases.js";

interface HeldLease {
  readonly lease: FetchLease;
  readonly lapsesMs: number;
}

/** Leases of fetches in memory, for the members of a fleet that run in one process. */
export class MemoryFetchLeases implements FetchLeases {
  readonly #now: () => number;
  readonly #held = new Map<Digest, HeldLease>();
  #token = 0;
  #secret: string | undefined;
  #isClosed = false;

  /** `now` returns the time in milliseconds; default: the monotonic clock of the process. */
  constructor({ now = () => performance.now() }: { readonly now?: () => number } = {}) {
    this.#now = now;
  }

  async acquire(digest: Digest, holder: string, options: AcquireFetchLeaseOptions): Promise<FetchLease> {
    assertAcquireArguments(digest, holder, options);
    this.#assertOpen(options);
    this.#removeLapsed();
    const held = this.#held.get(digest);
    const isHeld = held !== undefined && held.lapsesMs > this.#now();
    if (isHeld && held.lease.holder !== holder && held.lease.token !== options.replaces) return held.lease;
    const lease = { digest, holder, token: ++this.#token, isStored: false };
    this.#hold(lease, options);
    return lease;
  }

  async renew(lease: FetchLease, options: RenewFetchLeaseOptions): Promise<boolean> {
    assertFetchLeaseOptions(options);
    this.#assertOpen(options);
    const held = this.#heldAs(lease);
    if (held === undefined) return false;
    this.#hold({ ...held, isStored: options.isStored ?? held.isStored }, options);
    return true;
  }

  async release(lease: FetchLease, options: Cancellable = {}): Promise<void> {
    this.#assertOpen(options);
    if (this.#heldAs(lease) !== undefined) this.#held.delete(lease.digest);
  }

  async secret(proposed: string, options: Cancellable = {}): Promise<string> {
    assertFetchSecret(proposed);
    this.#assertOpen(options);
    this.#secret ??= proposed;
    return this.#secret;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    this.#held.clear();
  }

  #heldAs({ digest, holder, token }: FetchLease): FetchLease | undefined {
    const lease = this.#held.get(parseDigest(digest))?.lease;
    return lease?.token === token && lease.holder === holder ? lease : undefined;
  }

  /** The lease that was extended last is the last one of the map. */
  #hold(lease: FetchLease, { durationMs }: FetchLeaseOptions): void {
    this.#held.delete(lease.digest);
    this.#held.set(lease.digest, { lease, lapsesMs: this.#now() + durationMs });
  }

  #removeLapsed(): void {
    for (const [digest, { lapsesMs }] of this.#held) {
      if (lapsesMs > this.#now()) return;
      this.#held.delete(digest);
    }
  }

  #assertOpen({ signal }: Cancellable): void {
    if (this.#isClosed) throw new MoteError("MOTE_CLOSED", "the leases are closed");
    signal?.throwIfAborted();
  }
}
