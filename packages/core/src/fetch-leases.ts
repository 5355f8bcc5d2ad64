import type { Cancellable } from "./cancellable.js";
import { type Digest, parseDigest } from "./digest.js";

/** The right to fetch a blob for a fleet of caches, and where the others read it meanwhile. */
export interface FetchLease {
  readonly digest: Digest;
  /** The URL at which the others reach the holder. */
  readonly holder: string;
  /** Greater than that of the lease before it (a fencing token): a holder whose lease was taken over can no longer change it. */
  readonly token: number;
  /** Whether the holder has stored the blob. */
  readonly isStored: boolean;
}

export interface FetchLeaseOptions extends Cancellable {
  /** Milliseconds after which the lease lapses unless it is renewed, by the clock of the store: 1 to 86,400,000. */
  readonly durationMs: number;
}

export interface AcquireFetchLeaseOptions extends FetchLeaseOptions {
  /** The token of a lease whose holder has failed. */
  readonly replaces?: number | undefined;
}

export interface RenewFetchLeaseOptions extends FetchLeaseOptions {
  /** Whether the holder has stored the blob. Default: as before. */
  readonly isStored?: boolean | undefined;
}

/**
 * Decides which member of a fleet fetches a blob. A decision may be wrong at times, as after a partition of the network: then a blob is fetched
 * more than once, and nothing else happens.
 */
export interface FetchLeases extends AsyncDisposable {
  /**
   * Takes the lease if no member holds it, if it has lapsed, if `holder` holds it already, or if it has the token `replaces` (its holder has
   * failed). Returns the lease that is valid then: the caller's, with a new token, or that of another holder.
   *
   * @param holder an http(s) URL without credentials, of at most 2,048 characters
   * @throws TypeError · MOTE_CLOSED · MOTE_UNREACHABLE · MOTE_TIMEOUT · MOTE_RATE_LIMITED · MOTE_UNAUTHORIZED · MOTE_FORBIDDEN ·
   * MOTE_UNWRITABLE · MOTE_NO_SPACE · MOTE_CONFIG · MOTE_UNSUPPORTED_FORMAT · MOTE_IO
   */
  acquire(digest: Digest, holder: string, options: AcquireFetchLeaseOptions): Promise<FetchLease>;
  /**
   * Extends a lease, also one that has lapsed if no other has taken it since. Returns false if it is held no more: it was taken over or
   * released, or has lapsed and been removed. Without `isStored` it stays as it is. @throws as `acquire`
   */
  renew(lease: FetchLease, options: RenewFetchLeaseOptions): Promise<boolean>;
  /** Ends a lease. One that is held no more is left alone. @throws as `acquire` */
  release(lease: FetchLease, options?: Cancellable): Promise<void>;
  /**
   * Returns the secret that the members share: the one that is stored, else `proposed`, which is stored.
   *
   * @param proposed 16 to 1,024 printable ASCII characters without spaces @throws as `acquire`
   */
  secret(proposed: string, options?: Cancellable): Promise<string>;
}

/** The longest duration of a lease in milliseconds: one day. */
export const longestFetchLeaseMs = 86_400_000;
const maxHolderLength = 2_048;
const secretForm = /^[!-~]{16,1024}$/;

/** Checks the duration of a lease. @throws TypeError */
export function assertFetchLeaseOptions({ durationMs }: FetchLeaseOptions): void {
  if (!isLeaseDuration(durationMs))
    throw new TypeError(`a lease lasts 1 to ${longestFetchLeaseMs} whole milliseconds, not ${durationMs}`);
}

/** Returns whether the value is a duration of a lease in milliseconds. */
export function isLeaseDuration(value: unknown): value is number {
  return isPositiveInteger(value) && value <= longestFetchLeaseMs;
}

/** Returns whether the value is the token of a lease. */
export function isLeaseToken(value: unknown): value is number {
  return isPositiveInteger(value);
}

/** Returns whether the value is a URL at which the holder of a lease can be reached. */
export function isLeaseHolder(value: unknown): value is string {
  if (typeof value !== "string" || value.length > maxHolderLength || !/^https?:\/\/[!-~]+$/.test(value)) return false;
  const url = URL.canParse(value) ? new URL(value) : undefined;
  return url !== undefined && url.username === "" && url.password === "";
}

/** Checks the arguments of `acquire`. @throws MOTE_INVALID_DIGEST · MOTE_UNSUPPORTED_ALGORITHM · TypeError */
export function assertAcquireArguments(digest: Digest, holder: string, options: AcquireFetchLeaseOptions): void {
  parseDigest(digest);
  if (!isLeaseHolder(holder)) throw new TypeError("the holder of a lease is an http(s) URL without credentials");
  const { replaces } = options;
  if (replaces !== undefined && !isLeaseToken(replaces)) throw new TypeError(`${replaces} is not the token of a lease`);
  assertFetchLeaseOptions(options);
}

/** Returns whether the value is a secret that members of a fleet may share. */
export function isFetchSecret(value: unknown): value is string {
  return typeof value === "string" && secretForm.test(value);
}

/** Checks a secret; the error does not contain it. @throws TypeError */
export function assertFetchSecret(proposed: string): void {
  if (!isFetchSecret(proposed)) throw new TypeError("a secret has 16 to 1,024 printable ASCII characters, no spaces");
}

function isPositiveInteger(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) > 0;
}
