import type { CandidateOptions, ReplacementCandidate } from "./blob-info-cache.js";
import type { Digest } from "./digest.js";
import { transformerServes } from "./transformer-name.js";

/** Candidates without a location that are named at most. */
const maxUnknownLocations = 2;

/** A candidate as a store has it. `sequence` is its place in the store's order of time; a candidate without location has none. */
export interface CandidateRow extends ReplacementCandidate {
  readonly sequence?: number;
}

export interface RankOptions
  extends Pick<CandidateOptions, "max" | "includeUnknownLocations" | "requiredTransformers" | "preferredTransformers"> {
  /** The digest that was asked for. */
  readonly asked: Digest;
  /** Its plain form, where known and wanted. */
  readonly untransformed?: Digest | undefined;
}

/**
 * Orders what a store has found: the asked digest first, the untransformed one last, all others between them; each group by
 * preference, then newest first, ties by digest and location. Known locations come before unknown ones.
 */
export function rankCandidates(rows: readonly CandidateRow[], options: RankOptions): ReplacementCandidate[] {
  const { asked, untransformed, requiredTransformers: required, preferredTransformers: preferred } = options;
  const { max = Number.POSITIVE_INFINITY } = options;

  const group = (row: CandidateRow) => (row.digest === asked ? 0 : row.digest === untransformed ? 2 : 1);
  const preference = (row: CandidateRow) => {
    const place = preferred?.findIndex((wanted) => transformerServes(row.transformerName, wanted)) ?? -1;
    return place < 0 ? Number.MAX_SAFE_INTEGER : place;
  };
  const compare = (a: CandidateRow, b: CandidateRow) =>
    group(a) - group(b) ||
    (preferred === undefined ? 0 : preference(a) - preference(b)) ||
    (b.sequence ?? 0) - (a.sequence ?? 0) ||
    compareText(a.digest, b.digest) ||
    compareText(a.location ?? "", b.location ?? "");

  const serving =
    required === undefined
      ? [...rows]
      : rows.filter((row) => required.some((wanted) => transformerServes(row.transformerName, wanted)));
  serving.sort(compare);

  const known = serving.filter((row) => row.location !== undefined).slice(0, max);
  if (!options.includeUnknownLocations) return known.map(withoutSequence);
  const room = Math.min(maxUnknownLocations, max - known.length);
  const unknown = serving.filter((row) => row.location === undefined).slice(0, room);
  return [...known, ...unknown].map(withoutSequence);
}

function withoutSequence({ sequence: _, ...candidate }: CandidateRow): ReplacementCandidate {
  return candidate;
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
