import { type CandidateOptions, type ReplacementCandidate, UNKNOWN_TRANSFORMER } from "./blob-info-cache.js";
import type { Digest } from "./digest.js";
import type { FactReader, Place } from "./fact-rows.js";
import { type CandidateRow, rankCandidates } from "./rank-candidates.js";

/** Fetches a store's rows for `candidateLocations` and ranks them. Locations last seen before `oldestMs` are left out. */
export function findCandidates(
  rows: FactReader,
  place: Place,
  options: CandidateOptions & { readonly oldestMs?: number | undefined },
): ReplacementCandidate[] {
  const { canSubstitute, includeUnknownLocations, oldestMs = Number.NEGATIVE_INFINITY } = options;
  const asked = rows.digestRow(place.digest);
  const untransformed = canSubstitute ? asked?.pair?.untransformed : undefined;

  const found: CandidateRow[] = [];
  const collect = (digest: Digest) => {
    const row = digest === place.digest ? asked : rows.digestRow(digest);
    const transformerName = row?.transformer?.name ?? UNKNOWN_TRANSFORMER;
    const before = found.length;
    for (const { location, gone, sequence, lastSeenMs } of rows.sightings({ ...place, digest })) {
      if (!gone && lastSeenMs >= oldestMs) found.push({ digest, transformerName, location, lastSeenMs, sequence });
    }
    if (found.length === before && includeUnknownLocations && row !== undefined) {
      found.push({ digest, transformerName });
    }
  };

  collect(place.digest);
  if (untransformed !== undefined) {
    for (const form of rows.forms(untransformed)) {
      if (form !== place.digest && form !== untransformed) collect(form);
    }
    if (untransformed !== place.digest) collect(untransformed);
  }
  return rankCandidates(found, { ...options, asked: place.digest, untransformed });
}
