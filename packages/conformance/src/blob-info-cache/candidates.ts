import type { Digest } from "@mote/core";
import {
  candidatesIn,
  gzip,
  locationsIn,
  other,
  plain,
  type RuleTests,
  record,
  transport,
  unrecorded,
  zstd,
} from "./rule-tests.js";

/** Tests which candidates are returned, and in which order. */
export function rankedCandidates({ test, expect }: RuleTests): void {
  test("returns substitutes between the requested digest and the untransformed one, newest first", async (cache) => {
    await cache.recordDigestUntransformedPair(gzip, plain);
    await cache.recordDigestUntransformedPair(zstd, plain);
    const names = { P: plain, G: gzip, Z: zstd, O: other };
    for (const round of ["2", "1"]) {
      for (const [name, digest] of Object.entries(names)) {
        await record(cache, name + round, digest);
      }
    }
    const substitutes = async (digest: Digest) => (await locationsIn(cache, digest, { canSubstitute: true })).join(" ");
    expect(await substitutes(gzip)).toBe("G1 G2 Z1 Z2 P1 P2");
    expect(await substitutes(zstd)).toBe("Z1 Z2 G1 G2 P1 P2");
    expect(await substitutes(plain)).toBe("P1 P2 Z1 G1 Z2 G2");
    expect(await substitutes(other)).toBe("O1 O2");
    expect(await locationsIn(cache)).toEqual(["G1", "G2"]);
  });

  test("applies max after the candidates are ordered", async (cache) => {
    await cache.recordDigestUntransformedPair(gzip, plain);
    for (const location of ["1", "2", "3"]) await record(cache, `P${location}`, plain);
    await record(cache, "G");
    expect(await locationsIn(cache, gzip, { canSubstitute: true, max: 2 })).toEqual(["G", "P3"]);
    expect(await candidatesIn(cache, gzip, { canSubstitute: true, max: 0 })).toEqual([]);
  });

  test("appends two forms without a known location within max, with includeUnknownLocations", async (cache) => {
    await cache.recordDigestUntransformedPair(gzip, plain);
    await cache.recordDigestUntransformedPair(zstd, plain);
    await record(cache, "here", plain);
    const asked = { canSubstitute: true, includeUnknownLocations: true };
    const found = await candidatesIn(cache, gzip, asked);
    expect(found.map(({ digest, location }) => [digest, location])).toEqual([
      [plain, "here"],
      [gzip, undefined],
      [zstd, undefined],
    ]);
    expect((await candidatesIn(cache, gzip, { ...asked, max: 2 })).length).toBe(2);
    expect((await cache.candidateLocations(transport, "B", gzip, asked)).length).toBe(2);
    expect(await candidatesIn(cache, unrecorded, asked)).toEqual([]);
  });

  test("returns only required transformers, and preferred ones first among the substitutes", async (cache) => {
    const made = { gzip, zstd: other, "zstd:chunked": zstd };
    for (const [name, digest] of Object.entries(made)) {
      await cache.recordDigestUntransformedPair(digest, plain);
      await cache.recordDigestTransformerName(digest, name);
      await record(cache, name, digest);
    }
    await record(cache, "plain", plain);
    const found = (more: object) => locationsIn(cache, plain, { canSubstitute: true, ...more });
    expect(await found({})).toEqual(["plain", "zstd:chunked", "zstd", "gzip"]);
    expect(await found({ requiredTransformers: ["zstd"] })).toEqual(["zstd:chunked", "zstd"]);
    expect(await found({ requiredTransformers: ["zstd:chunked", "gzip"] })).toEqual(["zstd:chunked", "gzip"]);
    expect(await found({ requiredTransformers: [] })).toEqual([]);
    expect(await found({ preferredTransformers: ["gzip", "zstd"] })).toEqual(["plain", "gzip", "zstd:chunked", "zstd"]);
  });
}
