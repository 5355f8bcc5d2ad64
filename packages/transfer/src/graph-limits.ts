import { type Digest, MoteError } from "@mote/core";

/** Limits of one transfer, because manifests from elsewhere decide how much it moves. */
export const graphLimits = {
  /** Manifests and indexes, referrers included. */
  manifests: 10_000,
  /** Blobs, foreign layers included. */
  blobs: 100_000,
  /** Nested indexes. */
  indexDepth: 16,
  /** Listed referrers. */
  referrers: 10_000,
  /** Referrers of referrers. */
  referrerDepth: 8,
} as const;

/** Checks a count against its limit. @throws MOTE_TOO_LARGE */
export function assertWithin(limit: "manifests" | "blobs" | "referrers", count: number): void {
  const most = graphLimits[limit];
  if (count <= most) return;
  throw new MoteError("MOTE_TOO_LARGE", `more than ${most} ${limit}, the limit for one transfer; ${advice[limit]}`, {
    details: { limit, most },
  });
}

const advice = {
  manifests: "choose a platform, or transfer fewer references at once",
  blobs: "choose a platform, or transfer fewer references at once",
  referrers: "transfer without referrers, or remove some at the source",
} as const;

/** Checks the depth of referrers of referrers. @throws MOTE_TOO_LARGE */
export function assertReferrerDepth(depth: number, subject: Digest): void {
  if (depth <= graphLimits.referrerDepth) return;
  throw new MoteError(
    "MOTE_TOO_LARGE",
    `referrers of ${subject} are nested more than ${graphLimits.referrerDepth} deep, the limit; transfer without referrers`,
    { details: { digest: subject, limit: "referrerDepth", most: graphLimits.referrerDepth } },
  );
}

/** Checks the depth of nested indexes. @throws MOTE_INVALID_MANIFEST */
export function assertIndexDepth(depth: number, digest: Digest): void {
  if (depth <= graphLimits.indexDepth) return;
  throw new MoteError(
    "MOTE_INVALID_MANIFEST",
    `indexes are nested more than ${graphLimits.indexDepth} deep, down to ${digest}`,
    { details: { digest, limit: "indexDepth", most: graphLimits.indexDepth } },
  );
}
