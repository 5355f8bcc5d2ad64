import { type CandidateOptions, type Digest, type ReplacementCandidate, UNKNOWN_TRANSFORMER } from "@mote/core";
import type { DigestRow, FactReader, ScopedDigest } from "./fact-rows.js";
import { type CandidateRow, rankCandidates } from "./rank-candidates.js";

/** Returns the ranked candidates for a digest. Locations last seen before `oldestMs`, in Unix milliseconds, are left out. */
export function findCandidates(
  rows: FactReader,
  key: ScopedDigest,
  options: CandidateOptions,
  oldestMs: number,
): ReplacementCandidate[] {
  const found: CandidateRow[] = [];
  const collect = (of: ScopedDigest, row: DigestRow | undefined) => {
    const { digest } = of;
    const transformerName = row?.transformer?.name ?? UNKNOWN_TRANSFORMER;
    const before = found.length;
    for (const { location, gone, sequence, lastSeenMs } of rows.locationRecords(of)) {
      if (gone || lastSeenMs < oldestMs) continue;
      found.push({ candidate: { digest, transformerName, location, lastSeenMs }, sequence });
    }
    if (found.length === before && options.includeUnknownLocations && row !== undefined) {
      found.push({ candidate: { digest, transformerName }, sequence: 0 });
    }
  };

  const row = rows.digestRow(key.digest);
  collect(key, row);
  const untransformed = options.canSubstitute ? row?.pair?.untransformed : undefined;
  for (const form of substitutes(rows, key.digest, untransformed)) {
    collect({ ...key, digest: form }, rows.digestRow(form));
  }
  return rankCandidates(found, {
    requested: key.digest,
    untransformed,
    max: options.max,
    includeUnknownLocations: options.includeUnknownLocations,
    requiredTransformers: options.requiredTransformers,
    preferredTransformers: options.preferredTransformers,
  });
}

/** Returns the other forms of the requested content. */
function substitutes(rows: FactReader, requested: Digest, untransformed: Digest | undefined): Iterable<Digest> {
  if (untransformed === undefined) return [];
  const digests = new Set(rows.forms(untransformed));
  digests.add(untransformed);
  digests.delete(requested);
  return digests;
}
