import type { CandidateOptions, Digest, ReplacementCandidate } from "@mote/core";
import { transformerSatisfies } from "./transformer-name.js";

/** The most candidates without a location that are returned. */
const maxUnknownLocations = 2;

/** A candidate with the sequence of its location record, or 0 without a location. */
export interface CandidateRow {
  readonly candidate: ReplacementCandidate;
  readonly sequence: number;
}

export interface RankOptions
  extends Pick<CandidateOptions, "max" | "includeUnknownLocations" | "requiredTransformers" | "preferredTransformers"> {
  readonly requested: Digest;
  /** The untransformed form of the requested digest, if it is known and substitutes are allowed. */
  readonly untransformed?: Digest | undefined;
}

/**
 * Orders candidates: the requested digest first, the untransformed one last, all others between them. Each group is ordered by
 * preferred transformer, then newest first, then by digest and location. Known locations come before unknown ones.
 */
export function rankCandidates(rows: readonly CandidateRow[], options: RankOptions): ReplacementCandidate[] {
  const { max = Number.POSITIVE_INFINITY, requiredTransformers: required } = options;
  const ranked = rows.length < 2 ? rows : rows.toSorted(comparison(options));
  const known: ReplacementCandidate[] = [];
  const unknown: ReplacementCandidate[] = [];
  for (const { candidate } of ranked) {
    if (required !== undefined && !satisfiesAny(candidate, required)) continue;
    if (candidate.location === undefined) unknown.push(candidate);
    else if (known.length < max) known.push(candidate);
  }
  if (options.includeUnknownLocations)
    known.push(...unknown.slice(0, Math.min(maxUnknownLocations, max - known.length)));
  return known;
}

function satisfiesAny({ transformerName }: ReplacementCandidate, wanted: readonly string[]): boolean {
  return wanted.some((name) => transformerSatisfies(transformerName, name));
}

function comparison({ requested, untransformed, preferredTransformers: preferred }: RankOptions) {
  const group = ({ digest }: ReplacementCandidate) => (digest === requested ? 0 : digest === untransformed ? 2 : 1);
  const preference = ({ transformerName }: ReplacementCandidate) => {
    const index = preferred?.findIndex((wanted) => transformerSatisfies(transformerName, wanted)) ?? -1;
    return index < 0 ? Number.MAX_SAFE_INTEGER : index;
  };
  return (a: CandidateRow, b: CandidateRow) =>
    group(a.candidate) - group(b.candidate) ||
    preference(a.candidate) - preference(b.candidate) ||
    b.sequence - a.sequence ||
    compareText(a.candidate.digest, b.candidate.digest) ||
    compareText(a.candidate.location ?? "", b.candidate.location ?? "");
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
