import { digestBytes, UNKNOWN_TRANSFORMER } from "@mote/core";
import { candidatesIn, gzip, locationsIn, type RuleTests, record, zstd } from "./rule-tests.js";

/** Tests the locations where blobs were seen, and their order. */
export function recordedLocations({ test, expect, options }: RuleTests): void {
  test("returns candidates with digest, transformer, location and the time last seen", async (cache) => {
    const before = Date.now();
    await record(cache, "here");
    const [candidate, ...rest] = await candidatesIn(cache);
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
            expect(found.map(({ location }) => location)).toEqual([`${way}${scope}1`, `${way}${scope}2`]);
          }
        }
      }
    }
  });

  test("makes a location the newest when it is recorded again", async (cache) => {
    for (const location of ["1", "2", "3", "1"]) await record(cache, location);
    expect(await locationsIn(cache)).toEqual(["1", "3", "2"]);
  });

  test("keeps the order of calls for concurrent records", async (cache) => {
    const locations = Array.from({ length: 100 }, (_, i) => `${i}`);
    await Promise.all(locations.map((location) => record(cache, location)));
    expect(await locationsIn(cache)).toEqual(locations.toReversed());
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
      await record(cache, text);
    }
    for (const text of texts) {
      for (const scope of texts) {
        const found = await cache.candidateLocations(text, scope, gzip, { canSubstitute: false });
        expect(found.map(({ location }) => location)).toEqual([`${text}|${scope}`]);
      }
    }
    expect(await locationsIn(cache)).toEqual(texts.toReversed());
  });

  test("distinguishes digests of every algorithm", async (cache) => {
    const digests = (["sha256", "sha384", "sha512"] as const).map((name) => digestBytes(new Uint8Array(), name));
    for (const digest of digests) await record(cache, digest, digest);
    for (const digest of digests) {
      expect(await locationsIn(cache, digest)).toEqual([digest]);
    }
  });

  if (!options.acceptsSetup) return;
  const times = [5_000, 5_000, 3_000, 9_000, 1_000];
  let at = 0;
  test(
    "keeps the order of records if the clock goes back",
    async (cache) => {
      for (at = 0; at < times.length; at++) await record(cache, `${at}`);
      expect(await locationsIn(cache)).toEqual(["4", "3", "2", "1", "0"]);
      expect((await candidatesIn(cache)).map(({ lastSeenMs }) => lastSeenMs)).toEqual(times.toReversed());
    },
    { now: () => times[at] ?? 0 },
  );
}
