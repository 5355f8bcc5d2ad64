import { type BlobInfoCache, type Digest, digestBytes, MoteError, silentLogger } from "@mote/core";
import fc from "fast-check";
import type { TestApi } from "../test-api.js";
import { expectedResults, results, steps, take } from "./model.js";
import type { BlobInfoCacheFactory, BlobInfoCacheSuiteOptions } from "./options.js";

const digestOf = (name: string): Digest => digestBytes(new TextEncoder().encode(name));
const plain = digestOf("plain");
const gzip = digestOf("gzip");
const runs = { numRuns: 40 };

/** Compares random workloads with a model, and tests the optional methods that the cache has. */
export function optionalMethods(
  { it, expect }: TestApi,
  factory: BlobInfoCacheFactory,
  options: BlobInfoCacheSuiteOptions,
): void {
  const withCaches = async (count: number, use: (caches: BlobInfoCache[]) => Promise<void>) => {
    const caches: BlobInfoCache[] = [];
    try {
      while (caches.length < count) caches.push(await factory({ logger: silentLogger, now: Date.now }));
      await use(caches);
    } finally {
      for (const cache of caches) await cache.close();
    }
  };
  const withOne = (use: (cache: BlobInfoCache) => Promise<void>) => () =>
    withCaches(1, async ([cache]) => (cache === undefined ? undefined : use(cache)));
  const withThree = (use: (one: BlobInfoCache, two: BlobInfoCache, three: BlobInfoCache) => Promise<void>) => () =>
    withCaches(3, async ([one, two, three]) => {
      if (one !== undefined && two !== undefined && three !== undefined) await use(one, two, three);
    });

  it("returns the results of a simple model for any workload", async () => {
    let canRemove = true;
    await withOne(async (cache) => {
      canRemove = cache.removeKnownLocation !== undefined;
    })();
    const workload = fc.asyncProperty(steps({ canRemove }), fc.boolean(), async (taken, together) => {
      await withOne(async (cache) => {
        if (together) await Promise.all(taken.map((step) => take(cache, step)));
        else for (const step of taken) await take(cache, step);
        expect(await results(cache)).toEqual(expectedResults(taken));
      })();
    });
    await fc.assert(workload, runs);
  });

  it(
    "does not return a removed location until it is recorded again",
    withOne(async (cache) => {
      if (cache.removeKnownLocation === undefined) return;
      await cache.recordKnownLocation("t", "s", gzip, "here");
      await cache.recordKnownLocation("t", "s", gzip, "there");
      await cache.removeKnownLocation("t", "s", gzip, "here");
      expect(await locationsIn(cache)).toEqual(["there"]);
      await cache.recordKnownLocation("t", "s", gzip, "here");
      expect(await locationsIn(cache)).toEqual(["here", "there"]);
    }),
  );

  it(
    "counts the facts of each kind, look-ups and hits",
    withOne(async (cache) => {
      if (cache.statistics === undefined) return;
      await cache.recordDigestUntransformedPair(gzip, plain);
      await cache.recordDigestTransformerName(gzip, "gzip");
      for (const location of ["1", "2", "2", "3"]) await cache.recordKnownLocation("t", "s", gzip, location);
      await cache.removeKnownLocation?.("t", "s", gzip, "3");
      await cache.candidateLocations("t", "s", gzip, { canSubstitute: false });
      await cache.candidateLocations("t", "other", gzip, { canSubstitute: false });
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
    }),
  );

  it(
    "finds, renews and removes each of many locations of a blob",
    withOne(async (cache) => {
      const many = Array.from({ length: 60 }, (_, i) => `${i}`);
      for (const location of many) await cache.recordKnownLocation("t", "s", gzip, location);
      expect(await locationsIn(cache)).toEqual(many.toReversed());
      await cache.recordKnownLocation("t", "s", gzip, "7");
      const expected = ["7", ...many.toReversed().filter((location) => location !== "7")];
      expect(await locationsIn(cache)).toEqual(expected);
      if (cache.removeKnownLocation === undefined) return;
      for (const location of expected) await cache.removeKnownLocation("t", "s", gzip, location);
      expect(await locationsIn(cache)).toEqual([]);
    }),
  );

  it("expires locations by age, and facts of any kind by number, the oldest first", async () => {
    let nowMs = 1_000;
    const cache = await factory({ logger: silentLogger, now: () => nowMs });
    try {
      if (cache.expire === undefined || cache.statistics === undefined) return;
      await cache.recordDigestUntransformedPair(gzip, plain);
      for (nowMs of [2_000, 3_000, 4_000, 5_000]) await cache.recordKnownLocation("t", "s", gzip, `${nowMs}`);
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
    } finally {
      await cache.close();
    }
  });

  it("returns the same results, in the same order, after an export and a merge", async () => {
    const workload = fc.asyncProperty(
      steps({ canRemove: true }),
      fc.integer({ min: 1, max: 50 }),
      async (taken, size) => {
        await withThree(async (one, two) => {
          if (one.export === undefined || two.merge === undefined) return;
          for (const step of taken) await take(one, step);
          const text = await textOf(one);
          await two.merge(chunksOf(text, size));
          expect(await results(two)).toEqual(await results(one));
          expect((await two.merge([text])).changed).toBe(0);
          expect(await results(two)).toEqual(await results(one));
        })();
      },
    );
    await fc.assert(workload, runs);
  });

  it("returns the same results for two exports merged in either order", async () => {
    const workload = fc.asyncProperty(steps({ canRemove: true }), steps({ canRemove: true }), async (first, second) => {
      await withCaches(4, async ([one, two, three, four]) => {
        if (one?.export === undefined || two === undefined || three?.merge === undefined || four?.merge === undefined)
          return;
        for (const step of first) await take(one, step);
        for (const step of second) await take(two, step);
        for (const source of [one, two]) await three.merge([await textOf(source)]);
        for (const source of [two, one]) await four.merge([await textOf(source)]);
        expect(await results(three)).toEqual(await results(four));
      });
    });
    await fc.assert(workload, runs);
  });

  it(
    "does not restore a removed location by merging an older export",
    withThree(async (one, two) => {
      if (one.export === undefined || one.removeKnownLocation === undefined || two.merge === undefined) return;
      await one.recordKnownLocation("t", "s", gzip, "here");
      const old = await textOf(one);
      await one.removeKnownLocation("t", "s", gzip, "here");
      await two.merge([await textOf(one)]);
      await two.merge([old]);
      expect(await locationsIn(two)).toEqual([]);
    }),
  );

  it(
    "ranks a record made after a merge as the newest",
    withThree(async (one, two) => {
      if (one.export === undefined || two.merge === undefined) return;
      for (let i = 0; i < 20; i++) await one.recordKnownLocation("t", "s", gzip, `${i}`);
      await two.merge([await textOf(one)]);
      await two.recordKnownLocation("t", "s", gzip, "last");
      expect((await locationsIn(two))[0]).toBe("last");
    }),
  );

  it(
    "rejects text that is not an export with a code, and keeps the facts before an invalid line",
    withThree(async (one, two) => {
      if (one.export === undefined || two.merge === undefined) return;
      const { merge } = two;
      await one.recordKnownLocation("t", "s", gzip, "here");
      const text = await textOf(one);
      const codes = [];
      for (const bad of [
        "{}\n",
        "nonsense",
        '{"fact":"pair"}\n',
        '{"format":"mote-blob-facts","version":99}\n',
        `${text}{"fact":"location"}\n`,
        `${text.slice(0, -10)}`,
      ]) {
        codes.push(await codeOf(() => merge.call(two, [bad])));
      }
      const invalid = "MOTE_INVALID_FACT";
      expect(codes).toEqual([invalid, invalid, invalid, "MOTE_UNSUPPORTED_FORMAT", invalid, invalid]);
      expect(await locationsIn(two)).toEqual(["here"]);
    }),
  );

  it(
    "rejects the optional methods with MOTE_CLOSED after close",
    withOne(async (cache) => {
      await cache.close();
      const calls: ((() => Promise<unknown>) | undefined)[] = [
        cache.removeKnownLocation && (async () => cache.removeKnownLocation?.("t", "s", gzip, "here")),
        cache.statistics && (async () => cache.statistics?.()),
        cache.expire && (async () => cache.expire?.({ maxFacts: 1 })),
        cache.merge && (async () => cache.merge?.([])),
        cache.export && (async () => textOf(cache)),
      ];
      for (const call of calls) if (call !== undefined) expect(await codeOf(call)).toBe("MOTE_CLOSED");
    }),
  );
}

async function locationsIn(cache: BlobInfoCache): Promise<(string | undefined)[]> {
  const found = await cache.candidateLocations("t", "s", gzip, { canSubstitute: false });
  return found.map(({ location }) => location);
}

async function textOf(cache: BlobInfoCache): Promise<string> {
  let text = "";
  for await (const line of cache.export?.() ?? []) text += line;
  return text;
}

function* chunksOf(text: string, size: number): Generator<string> {
  for (let at = 0; at < text.length; at += size) yield text.slice(at, at + size);
}

async function codeOf(call: () => Promise<unknown>): Promise<string | undefined> {
  try {
    await call();
  } catch (error) {
    return MoteError.isInstance(error) ? error.code : String(error);
  }
  return undefined;
}
