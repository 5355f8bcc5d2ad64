import { UNKNOWN_TRANSFORMER, UNTRANSFORMED } from "@mote/core";
import {
  candidatesIn,
  gzip,
  locationsIn,
  other,
  plain,
  type RuleTests,
  record,
  unrecorded,
  zstd,
} from "./rule-tests.js";

/** Tests which digests are forms of the same content, and how each was made. */
export function pairsAndTransformers({ test, expect, options }: RuleTests): void {
  test("returns nothing for a digest that was not recorded", async (cache) => {
    expect(await cache.untransformedDigest(unrecorded)).toBe(undefined);
    expect(await candidatesIn(cache, unrecorded)).toEqual([]);
    expect(await candidatesIn(cache, unrecorded, { canSubstitute: true })).toEqual([]);
  });

  test("returns the untransformed digest for both digests of a pair, recorded once or twice", async (cache, warnings) => {
    for (const _ of [1, 2]) {
      await cache.recordDigestUntransformedPair(gzip, plain);
      await cache.recordDigestUntransformedPair(zstd, plain);
      expect(await cache.untransformedDigest(gzip)).toBe(plain);
      expect(await cache.untransformedDigest(zstd)).toBe(plain);
      expect(await cache.untransformedDigest(plain)).toBe(plain);
    }
    expect(warnings.length).toBe(0);
  });

  test("records a digest as its own untransformed form", async (cache) => {
    await cache.recordDigestUntransformedPair(other, other);
    expect(await cache.untransformedDigest(other)).toBe(other);
  });

  test("overwrites a conflicting pair with a warning, and removes it from the forms of the first", async (cache, warnings) => {
    await cache.recordDigestUntransformedPair(gzip, plain);
    await record(cache, "gzip");
    await cache.recordDigestUntransformedPair(gzip, other);
    if (options.acceptsSetup) expect(warnings.length).toBe(1);
    expect(await cache.untransformedDigest(gzip)).toBe(other);
    expect(await cache.untransformedDigest(plain)).toBe(plain);
    expect(await candidatesIn(cache, plain, { canSubstitute: true })).toEqual([]);
    expect(await locationsIn(cache, other, { canSubstitute: true })).toEqual(["gzip"]);
  });

  test("does not overwrite the pair of a digest by a pair whose untransformed digest it is", async (cache) => {
    await cache.recordDigestUntransformedPair(gzip, plain);
    await cache.recordDigestUntransformedPair(zstd, gzip);
    expect(await cache.untransformedDigest(zstd)).toBe(gzip);
    expect(await cache.untransformedDigest(gzip)).toBe(plain);
  });

  test("sets no transformer name with a pair", async (cache) => {
    await cache.recordDigestUntransformedPair(gzip, plain);
    await record(cache, "here", plain);
    const [candidate] = await candidatesIn(cache, plain);
    expect(candidate?.transformerName).toBe(UNKNOWN_TRANSFORMER);
  });

  test("returns the transformer name of a candidate until it is recorded as unknown", async (cache) => {
    await record(cache, "here");
    const name = async () => (await candidatesIn(cache))[0]?.transformerName;
    expect(await name()).toBe(UNKNOWN_TRANSFORMER);
    await cache.recordDigestTransformerName(gzip, "gzip");
    expect(await name()).toBe("gzip");
    await cache.recordDigestTransformerName(gzip, UNTRANSFORMED);
    expect(await name()).toBe(UNTRANSFORMED);
    await cache.recordDigestTransformerName(gzip, UNKNOWN_TRANSFORMER);
    expect(await name()).toBe(UNKNOWN_TRANSFORMER);
  });

  test("does not overwrite a variant of a transformer by its base, but by any other name", async (cache, warnings) => {
    await record(cache, "here", zstd);
    const name = async () => (await candidatesIn(cache, zstd))[0]?.transformerName;
    await cache.recordDigestTransformerName(zstd, "zstd");
    await cache.recordDigestTransformerName(zstd, "zstd:chunked");
    await cache.recordDigestTransformerName(zstd, "zstd");
    expect(await name()).toBe("zstd:chunked");
    expect(warnings.length).toBe(0);
    await cache.recordDigestTransformerName(zstd, "gzip");
    expect(await name()).toBe("gzip");
    if (options.acceptsSetup) expect(warnings.length).toBe(1);
  });
}
