import { type BlobInfoCache, silentLogger } from "@mote/core";
import fc from "fast-check";
import { errorCodeOf, errorCodesOf } from "../sample-motes.js";
import type { TestApi } from "../test-api.js";
import { expectedResults, results, steps, take } from "./model.js";
import type { BlobInfoCacheFactory, BlobInfoCacheSuiteOptions } from "./options.js";
import { candidatesIn, gzip, locationsIn, plain, record, transport } from "./rule-tests.js";

const runs = { numRuns: 40 };

/** Opens an empty cache. */
type Open = (now?: () => number) => Promise<BlobInfoCache>;

/** Compares random workloads with a model, and tests the optional methods that the cache has. */
export function optionalMethods(
  { it, expect }: TestApi,
  factory: BlobInfoCacheFactory,
  options: BlobInfoCacheSuiteOptions,
): void {
  const withCaches = async (use: (open: Open) => Promise<void>) => {
    const caches: BlobInfoCache[] = [];
    try {
      await use(async (now = Date.now) => {
        const cache = await factory({ logger: silentLogger, now });
        caches.push(cache);
        return cache;
      });
    } finally {
      for (const cache of caches) await cache.close();
    }
  };
  const test = (name: string, body: (open: Open) => Promise<void>) => it(name, () => withCaches(body));

  test("returns the results of a simple model for any workload", async (openOne) => {
    const canRemove = (await openOne()).removeKnownLocation !== undefined;
    const workload = fc.asyncProperty(steps({ canRemove }), fc.boolean(), (taken, together) =>
      withCaches(async (open) => {
        const cache = await open();
        if (together) await Promise.all(taken.map((step) => take(cache, step)));
        else for (const step of taken) await take(cache, step);
        expect(await results(cache)).toEqual(expectedResults(taken));
      }),
    );
    await fc.assert(workload, runs);
  });

  test("does not return a removed location until it is recorded again", async (open) => {
    const cache = await open();
    if (cache.removeKnownLocation === undefined) return;
    await record(cache, "here");
    await record(cache, "there");
    await cache.removeKnownLocation(transport, "A", gzip, "here");
    expect(await locationsIn(cache)).toEqual(["there"]);
    await record(cache, "here");
    expect(await locationsIn(cache)).toEqual(["here", "there"]);
  });

  test("counts the facts of each kind, look-ups and hits", async (open) => {
    const cache = await open();
    if (cache.statistics === undefined) return;
    await cache.recordDigestUntransformedPair(gzip, plain);
    await cache.recordDigestTransformerName(gzip, "gzip");
    for (const location of ["1", "2", "2", "3"]) await record(cache, location);
    await cache.removeKnownLocation?.(transport, "A", gzip, "3");
    await candidatesIn(cache);
    // Found in another scope only, which is not a hit.
    await cache.candidateLocations(transport, "B", gzip, { canSubstitute: false });
    const { pairs, transformers, locations, negativeRecords, lookups, hits } = await cache.statistics();
    const gone = cache.removeKnownLocation === undefined ? 0 : 1;
    expect({ pairs, transformers, locations, negativeRecords, lookups, hits }).toEqual({
      pairs: 2,
      transformers: 1,
      locations: 3 - gone,
      negativeRecords: gone,
      lookups: 2,
      hits: 1,
    });
  });

  test("finds, renews and removes each of many locations of a blob", async (open) => {
    const cache = await open();
    const many = Array.from({ length: 60 }, (_, i) => `${i}`);
    for (const location of many) await record(cache, location);
    expect(await locationsIn(cache)).toEqual(many.toReversed());
    await record(cache, "7");
    const expected = ["7", ...many.toReversed().filter((location) => location !== "7")];
    expect(await locationsIn(cache)).toEqual(expected);
    if (cache.removeKnownLocation === undefined) return;
    for (const location of expected) await cache.removeKnownLocation(transport, "A", gzip, location);
    expect(await locationsIn(cache)).toEqual([]);
  });

  test("expires locations by age, and facts of any kind by number, the oldest first", async (open) => {
    let nowMs = 1_000;
    const cache = await open(() => nowMs);
    if (cache.expire === undefined || cache.statistics === undefined) return;
    await cache.recordDigestUntransformedPair(gzip, plain);
    for (nowMs of [2_000, 3_000, 4_000, 5_000]) await record(cache, `${nowMs}`);
    if (options.acceptsSetup) {
      expect(await cache.expire({ maxAgeMs: 2_500 })).toBe(1);
      expect(await locationsIn(cache)).toEqual(["5000", "4000", "3000"]);
      expect(await cache.untransformedDigest(gzip)).toBe(plain);
    }
    expect(await cache.expire({ maxFacts: 2 })).toBe(options.acceptsSetup ? 3 : 4);
    expect(await locationsIn(cache)).toEqual(["5000", "4000"]);
    expect(await cache.untransformedDigest(gzip)).toBe(undefined);
    expect(await cache.untransformedDigest(plain)).toBe(undefined);
    expect(await cache.expire({ maxFacts: 2 })).toBe(0);
    expect(await cache.expire({ maxFacts: 0 })).toBe(2);
    const { pairs, transformers, locations, negativeRecords } = await cache.statistics();
    expect([pairs, transformers, locations, negativeRecords]).toEqual([0, 0, 0, 0]);
  });

  it("returns the same results, in the same order, after an export and a merge", async () => {
    const workload = fc.asyncProperty(
      steps({ canRemove: true }),
      fc.integer({ min: 1, max: 50 }),
      async (taken, size) => {
        await withCaches(async (open) => {
          const [one, two] = [await open(), await open()];
          if (one.export === undefined || two.merge === undefined) return;
          for (const step of taken) await take(one, step);
          const text = await textOf(one);
          await two.merge(chunksOf(text, size));
          expect(await results(two)).toEqual(await results(one));
          expect((await two.merge([text])).changed).toBe(0);
          expect(await results(two)).toEqual(await results(one));
        });
      },
    );
    await fc.assert(workload, runs);
  });

  it("returns the same results for two exports merged in either order", async () => {
    const workload = fc.asyncProperty(steps({ canRemove: true }), steps({ canRemove: true }), async (first, second) => {
      await withCaches(async (open) => {
        const [one, two, three, four] = [await open(), await open(), await open(), await open()];
        if (one.export === undefined || three.merge === undefined || four.merge === undefined) return;
        for (const step of first) await take(one, step);
        for (const step of second) await take(two, step);
        for (const source of [one, two]) await three.merge([await textOf(source)]);
        for (const source of [two, one]) await four.merge([await textOf(source)]);
        expect(await results(three)).toEqual(await results(four));
      });
    });
    await fc.assert(workload, runs);
  });

  test("does not restore a removed location by merging an older export", async (open) => {
    const [one, two] = [await open(), await open()];
    if (one.export === undefined || one.removeKnownLocation === undefined || two.merge === undefined) return;
    await record(one, "here");
    const old = await textOf(one);
    await one.removeKnownLocation(transport, "A", gzip, "here");
    await two.merge([await textOf(one)]);
    await two.merge([old]);
    expect(await locationsIn(two)).toEqual([]);
  });

  test("ranks a record made after a merge as the newest", async (open) => {
    const [one, two] = [await open(), await open()];
    if (one.export === undefined || two.merge === undefined) return;
    for (let i = 0; i < 20; i++) await record(one, `${i}`);
    await two.merge([await textOf(one)]);
    await record(two, "last");
    expect((await locationsIn(two))[0]).toBe("last");
  });

  test("rejects text that is not an export with a code, and keeps the facts before an invalid line", async (open) => {
    const [one, two] = [await open(), await open()];
    if (one.export === undefined || two.merge === undefined) return;
    const { merge } = two;
    await record(one, "here");
    const text = await textOf(one);
    for (const [bad, code] of [
      ["{}\n", "MOTE_INVALID_FACT"],
      ["nonsense", "MOTE_INVALID_FACT"],
      ['{"fact":"pair"}\n', "MOTE_INVALID_FACT"],
      ['{"format":"mote-blob-facts","version":99}\n', "MOTE_UNSUPPORTED_FORMAT"],
      [`${text}{"fact":"location"}\n`, "MOTE_INVALID_FACT"],
      [text.slice(0, -10), "MOTE_INVALID_FACT"],
    ] as const)
      expect(await errorCodeOf(() => merge.call(two, [bad]))).toBe(code);
    expect(await locationsIn(two)).toEqual(["here"]);
  });

  test("rejects the optional methods with MOTE_CLOSED after close", async (open) => {
    const cache = await open();
    await cache.close();
    const calls = [
      cache.removeKnownLocation && (() => cache.removeKnownLocation?.(transport, "A", gzip, "here")),
      cache.statistics && (() => cache.statistics?.()),
      cache.expire && (() => cache.expire?.({ maxFacts: 1 })),
      cache.merge && (() => cache.merge?.([])),
      cache.export && (() => textOf(cache)),
    ].filter((call) => call !== undefined);
    if (calls.length > 0) expect(await errorCodesOf(calls)).toEqual(["MOTE_CLOSED"]);
  });
}

async function textOf(cache: BlobInfoCache): Promise<string> {
  let text = "";
  for await (const line of cache.export?.() ?? []) text += line;
  return text;
}

function* chunksOf(text: string, size: number): Generator<string> {
  for (let at = 0; at < text.length; at += size) yield text.slice(at, at + size);
}
