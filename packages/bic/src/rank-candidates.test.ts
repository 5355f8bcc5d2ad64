import { type Digest, digestBytes } from "@mote/core";
import { describe, expect, it } from "vitest";
import { type CandidateRow, type RankOptions, rankCandidates } from "./rank-candidates.js";

const digests = ["a", "b", "c", "d", "e"].map((name) => digestBytes(new TextEncoder().encode(name))).sort();
const [requested, gzip, plain, zstd, other] = digests as [Digest, Digest, Digest, Digest, Digest];

function row(digest: Digest, sequence: number, transformerName = "unknown"): CandidateRow {
  return { candidate: { digest, transformerName, location: `${sequence}`, lastSeenMs: sequence }, sequence };
}

function unknown(digest: Digest, transformerName = "unknown"): CandidateRow {
  return { candidate: { digest, transformerName }, sequence: 0 };
}

function ranked(rows: CandidateRow[], options: Partial<RankOptions> = {}): (string | Digest)[] {
  return rankCandidates(rows, { requested, untransformed: plain, ...options }).map((c) => c.location ?? c.digest);
}

describe("rankCandidates", () => {
  it("returns an empty list for no rows", () => {
    expect(ranked([])).toEqual([]);
  });

  it("puts the requested digest first and the untransformed one last, regardless of time", () => {
    const rows = [row(plain, 9), row(gzip, 5), row(requested, 1), row(zstd, 6), row(requested, 2), row(plain, 8)];
    expect(ranked(rows)).toEqual(["2", "1", "6", "5", "9", "8"]);
  });

  it("puts the untransformed digest first if it is the requested one", () => {
    expect(ranked([row(gzip, 9), row(plain, 1), row(zstd, 8)], { requested: plain })).toEqual(["1", "9", "8"]);
  });

  it("breaks ties by digest, then by location, regardless of the order of the rows", () => {
    const rows = [row(zstd, 5), row(gzip, 5), row(other, 5)];
    const expected = rankCandidates(rows, { requested }).map(({ digest }) => digest);
    expect(expected).toEqual([gzip, zstd, other].sort());
    expect(rankCandidates(rows.toReversed(), { requested }).map(({ digest }) => digest)).toEqual(expected);
  });

  it("does not change the given rows", () => {
    const rows = [row(plain, 1), row(requested, 2)];
    ranked(rows);
    expect(rows.map(({ sequence }) => sequence)).toEqual([1, 2]);
  });

  it("returns known locations up to max, then at most two unknown ones within max", () => {
    const rows = [unknown(gzip), row(requested, 1), unknown(zstd), unknown(other), row(plain, 2)];
    expect(ranked(rows)).toEqual(["1", "2"]);
    expect(ranked(rows, { includeUnknownLocations: true })).toEqual(["1", "2", gzip, zstd]);
    expect(ranked(rows, { includeUnknownLocations: true, max: 3 })).toEqual(["1", "2", gzip]);
    expect(ranked(rows, { includeUnknownLocations: true, max: 1 })).toEqual(["1"]);
    expect(ranked(rows, { includeUnknownLocations: true, max: 0 })).toEqual([]);
  });

  it("leaves out candidates that do not satisfy a required transformer, unknown ones too", () => {
    const rows = [
      row(requested, 1),
      row(gzip, 2, "gzip"),
      row(zstd, 3, "zstd:chunked"),
      row(plain, 4, "untransformed"),
    ];
    expect(ranked(rows, { requiredTransformers: ["zstd"] })).toEqual(["3"]);
    expect(ranked(rows, { requiredTransformers: ["untransformed", "gzip"] })).toEqual(["2", "4"]);
    expect(ranked(rows, { requiredTransformers: ["zstd:other"] })).toEqual([]);
  });

  it("orders substitutes by preference before time, and does not move the requested and the untransformed digest", () => {
    const rows = [
      row(requested, 1),
      row(gzip, 2, "gzip"),
      row(zstd, 3, "zstd"),
      row(plain, 4, "untransformed"),
      row(other, 5),
    ];
    expect(ranked(rows, { preferredTransformers: ["untransformed", "gzip", "zstd"] })).toEqual([
      "1",
      "2",
      "3",
      "5",
      "4",
    ]);
  });
});
