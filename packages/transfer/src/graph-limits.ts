import { type Digest, MoteError } from "@mote/core";

/** What one transfer moves at most; whoever wrote the manifests decides how much that is, so more is an error and not a choice of some. */
export const graphLimits = {
  /** Manifests and indexes, referrers included. */
  manifests: 10_000,
  /** Blobs, those that stay where their `urls` say included. */
  blobs: 100_000,
  /** Indexes below one another. */
  indexDepth: 16,
  /** Referrers of one transfer, as they are listed. */
  referrers: 10_000,
  /** Referrers of referrers. */
  referrerDepth: 8,
} as const;

/** @throws MOTE_TOO_LARGE where there are more than the limit */
export function assertWithin(limit: "manifests" | "blobs" | "referrers", count: number): void {
  const most = graphLimits[limit];
  if (count <= most) return;
  throw new MoteError(
    "MOTE_TOO_LARGE",
    `there are more than ${most} ${limit}, the limit for one transfer; ${advice[limit]}`,
    {
      details: { limit, most },
    },
  );
}

const advice = {
  manifests: "choose a platform, or move fewer references at once",
  blobs: "choose a platform, or move fewer references at once",
  referrers: "leave out the referrers, or remove some at the source",
} as const;

/** @throws MOTE_TOO_LARGE where referrers refer to one another more than so deep */
export function assertReferrerDepth(depth: number, subject: Digest): void {
  if (depth <= graphLimits.referrerDepth) return;
  throw new MoteError(
    "MOTE_TOO_LARGE",
    `${subject} has referrers, and is one itself ${graphLimits.referrerDepth} times over, the limit; leave out the referrers`,
    { details: { digest: subject, limit: "referrerDepth", most: graphLimits.referrerDepth } },
  );
}

/** @throws MOTE_INVALID_MANIFEST where indexes are nested deeper than the limit */
export function assertIndexDepth(depth: number, digest: Digest): void {
  if (depth <= graphLimits.indexDepth) return;
  throw new MoteError(
    "MOTE_INVALID_MANIFEST",
    `indexes are nested more than ${graphLimits.indexDepth} deep, down to ${digest}`,
    { details: { digest, limit: "indexDepth", most: graphLimits.indexDepth } },
  );
}
