import { type CandidateOptions, type Digest, type ReplacementCandidate, UNKNOWN_TRANSFORMER } from "@mote/core";
import type { DigestRow, FactReader, ScopedDigest } from "./fact-rows.js";
import { type CandidateRow, rankCandidates } from "./rank-candidates.js";

/** Fetches a store's rows for `candidateLocations` and ranks them. Locations last seen before `oldestMs` are left out. */
export function findCandidates(
  rows: FactReader,
  place: ScopedDigest,
  options: CandidateOptions,
  oldestMs: number,
): ReplacementCandidate[] {
  const found: CandidateRow[] = [];
  const collect = (at: ScopedDigest, row: DigestRow | undefined) => {
    const { digest } = at;
    const transformerName = row?.transformer?.name ?? UNKNOWN_TRANSFORMER;
    const before = found.length;
    for (const { location, gone, sequence, lastSeenMs } of rows.locationRecords(at)) {
      if (gone || lastSeenMs < oldestMs) continue;
      found.push({ candidate: { digest, transformerName, location, lastSeenMs }, sequence });
    }
    if (found.length === before && options.includeUnknownLocations && row !== undefined) {
      found.push({ candidate: { digest, transformerName }, sequence: 0 });
    }
  };

  const row = rows.digestRow(place.digest);
  collect(place, row);
  const untransformed = options.canSubstitute ? row?.pair?.untransformed : undefined;
  for (const form of substitutes(rows, place.digest, untransformed)) {
    collect({ ...place, digest: form }, rows.digestRow(form));
  }
  return rankCandidates(found, {
    requested: place.digest,
    untransformed,
    max: options.max,
    includeUnknownLocations: options.includeUnknownLocations,
    requiredTransformers: options.requiredTransformers,
    preferredTransformers: options.preferredTransformers,
  });
}

/** The other forms of the content whose plain form is `untransformed`. */
function substitutes(rows: FactReader, requested: Digest, untransformed: Digest | undefined): Iterable<Digest> {
  if (untransformed === undefined) return [];
  const digests = new Set(rows.forms(untransformed));
  digests.add(untransformed);
  digests.delete(requested);
  return digests;
}
