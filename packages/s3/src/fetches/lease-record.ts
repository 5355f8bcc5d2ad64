import {
  type Digest,
  type FetchLease,
  isLeaseDuration,
  isLeaseHolder,
  isLeaseToken,
  parseJsonRecord,
} from "@mote/core";
import { jsonBytes } from "../bucket/bucket.js";
import type { SmallObject } from "./conditional-writes.js";

/** What the object of a lease says. Without a lease, it was released, and has the last token. */
export interface LeaseRecord {
  readonly token: number;
  readonly lease?: FetchLease;
  readonly durationMs?: number;
  /** Makes the content of each renewal another one, and with it the ETag. */
  readonly renewals?: number;
}

/** Parses the object of a digest's lease. Returns undefined for one that mote has not written. */
export function parseLeaseRecord(digest: Digest, { bytes }: SmallObject): LeaseRecord | undefined {
  const body = parseJsonRecord(bytes);
  if (body?.digest !== digest || !isLeaseToken(body.token) || !isLeaseToken(body.token + 1)) return undefined;
  const { token, holder, durationMs, isStored, renewals } = body;
  if (!isLeaseHolder(holder) || !isLeaseDuration(durationMs) || typeof isStored !== "boolean") return { token };
  const count = Number.isSafeInteger(renewals) ? Number(renewals) : 0;
  return { token, lease: { digest, holder, token, isStored }, durationMs, renewals: count };
}

/** Returns the lease of a record if it has not lapsed. */
export function validLease(record: LeaseRecord | undefined, ageMs: number | undefined): FetchLease | undefined {
  const { lease, durationMs = 0 } = record ?? {};
  // Both times are cut to the second. If an object is from the future, the server's clock was set.
  const mostMs = Math.ceil(durationMs / 1000) * 1000;
  return ageMs !== undefined && Math.abs(ageMs) <= mostMs ? lease : undefined;
}

/** Returns the content of the object. */
export function formatLeaseRecord(digest: Digest, { token, lease, durationMs, renewals }: LeaseRecord): Uint8Array {
  const { holder, isStored } = lease ?? {};
  return jsonBytes({ digest, token, holder, durationMs, isStored, renewals });
}
