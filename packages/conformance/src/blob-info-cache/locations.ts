import { digestBytes, silentLogger, UNKNOWN_TRANSFORMER } from "@mote/core";
import { gzip, locationsOf, type RuleTests, transport, zstd } from "./rule-tests.js";

/** Tests the locations where blobs were seen, and their order. */
export function recordedLocations({ test, it, expect, withCache, options }: RuleTests): void {
  test("returns candidates with digest, transformer, location and the time last seen", async (cache) => {
    const before = Date.now();
    await cache.recordKnownLocation(transport, "A", gzip, "here");
    const [candidate, ...rest] = await cache.candidateLocations(transport, "A", gzip, { canSubstitute: false });
    const { lastSeenMs, ...known } = candidate ?? { lastSeenMs: undefined };
    expect(known).toEqual({ digest: gzip, transformerName: UNKNOWN_TRANSFORMER, location: "here" });
    expect(lastSeenMs !== undefined && lastSeenMs >= before && lastSeenMs <= Date.now()).toBe(true);
    expect(rest).toEqual([]);
  });

  test("returns locations newest first, separately for each transport, scope and digest", async (cache) => {
    for (const _ of [1, 2]) {
      for (const way of ["x", "y"]) {
        for (const scope of ["A", "B"]) {
          for (const digest of [gzip, zstd]) {
            await cache.recordKnownLocation(way, scope, digest, `${way}${scope}2`);
            await cache.recordKnownLocation(way, scope, digest, `${way}${scope}1`);
            const found = await cache.candidateLocations(way, scope, digest, { canSubstitute: false });
            expect(locationsOf(found)).toEqual([`${way}${scope}1`, `${way}${scope}2`]);
          }
        }
      }
    }
  });

  test("makes a location the newest when it is recorded again", async (cache) => {
    for (const location of ["1", "2", "3", "1"]) await cache.recordKnownLocation(transport, "A", gzip, location);
    const found = await cache.candidateLocations(transport, "A", gzip, { canSubstitute: false });
    expect(locationsOf(found)).toEqual(["1", "3", "2"]);
  });

  test("keeps the order of calls for concurrent records", async (cache) => {
    const locations = Array.from({ length: 100 }, (_, i) => `${i}`);
    await Promise.all(locations.map((location) => cache.recordKnownLocation(transport, "A", gzip, location)));
    const found = await cache.candidateLocations(transport, "A", gzip, { canSubstitute: false });
    expect(locationsOf(found)).toEqual(locations.toReversed());
  });

  test("accepts any text as transport, scope and location", async (cache) => {
    const texts = [
      "",
      "\0",
      "a\0b",
      "a",
      "\ud800",
      "\udc00",
      "\ufffd",
      "👾",
      "é".normalize("NFD"),
      "é",
      "x".repeat(70_000),
    ];
    for (const text of texts) {
      for (const scope of texts) await cache.recordKnownLocation(text, scope, gzip, `${text}|${scope}`);
      await cache.recordKnownLocation(transport, "all", gzip, text);
    }
    for (const text of texts) {
      for (const scope of texts) {
        const found = await cache.candidateLocations(text, scope, gzip, { canSubstitute: false });
        expect(locationsOf(found)).toEqual([`${text}|${scope}`]);
      }
    }
    const found = await cache.candidateLocations(transport, "all", gzip, { canSubstitute: false });
    expect(locationsOf(found)).toEqual(texts.toReversed());
  });

  test("tells digests of every algorithm apart", async (cache) => {
    const digests = (["sha256", "sha384", "sha512"] as const).map((name) => digestBytes(new Uint8Array(), name));
    for (const digest of digests) await cache.recordKnownLocation(transport, "A", digest, digest);
    for (const digest of digests) {
      const found = await cache.candidateLocations(transport, "A", digest, { canSubstitute: false });
      expect(locationsOf(found)).toEqual([digest]);
    }
  });

  if (options.acceptsSetup) {
    it("keeps the order of records if the clock goes back", async () => {
      const times = [5_000, 5_000, 3_000, 9_000, 1_000];
      let at = 0;
      const setup = { logger: silentLogger, now: () => times[at] ?? 0 };
      await withCache(setup, async (cache) => {
        for (at = 0; at < times.length; at++) await cache.recordKnownLocation(transport, "A", gzip, `${at}`);
        const found = await cache.candidateLocations(transport, "A", gzip, { canSubstitute: false });
        expect(locationsOf(found)).toEqual(["4", "3", "2", "1", "0"]);
        expect(found.map(({ lastSeenMs }) => lastSeenMs)).toEqual(times.toReversed());
      });
    });
  }
}
