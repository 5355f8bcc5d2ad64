import { type BlobInfoCache, type Digest, digestBytes, MoteError, silentLogger } from "@mote/core";
import fc from "fast-check";
import type { TestApi } from "../test-api.js";
import { expectedResults, results, steps, take } from "./model.js";
import type { BlobInfoCacheFactory, BlobInfoCacheSuiteOptions } from "./options.js";

const digestOf = (name: string): Digest => digestBytes(new TextEncoder().encode(name));
const plain = digestOf("plain");
const gzip = digestOf("gzip");
const runs = { numRuns: 40 };

/** Any workload of records against a model, and what a cache offers beyond the plain methods, if it does. */
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

  it("any workload of records gives the results of the simplest model", async () => {
    let canForget = true;
    await withOne(async (cache) => {
      canForget = cache.forgetLocation !== undefined;
    })();
    const workload = fc.asyncProperty(steps({ canForget }), fc.boolean(), async (taken, together) => {
      await withOne(async (cache) => {
        if (together) await Promise.all(taken.map((step) => take(cache, step)));
        else for (const step of taken) await take(cache, step);
        expect(await results(cache)).toEqual(expectedResults(taken));
      })();
    });
    await fc.assert(workload, runs);
  });

  it(
    "a removed location is not a candidate until it is recorded again",
    withOne(async (cache) => {
      if (cache.forgetLocation === undefined) return;
      await cache.recordKnownLocation("t", "s", gzip, "here");
      await cache.recordKnownLocation("t", "s", gzip, "there");
      await cache.forgetLocation("t", "s", gzip, "here");
      expect(await places(cache)).toEqual(["there"]);
      await cache.recordKnownLocation("t", "s", gzip, "here");
      expect(await places(cache)).toEqual(["here", "there"]);
    }),
  );

  it(
    "statistics count the facts of each kind, and look-ups and hits",
    withOne(async (cache) => {
      if (cache.statistics === undefined) return;
      await cache.recordDigestUntransformedPair(gzip, plain);
      await cache.recordDigestTransformerName(gzip, "gzip");
      for (const location of ["1", "2", "2", "3"]) await cache.recordKnownLocation("t", "s", gzip, location);
      await cache.forgetLocation?.("t", "s", gzip, "3");
      await cache.candidateLocations("t", "s", gzip, { canSubstitute: false });
      await cache.candidateLocations("t", "other", gzip, { canSubstitute: false });
      const { pairs, transformers, locations, absences, lookups, hits } = await cache.statistics();
      const gone = cache.forgetLocation === undefined ? 0 : 1;
      expect({ pairs, transformers, locations, absences, lookups, hits }).toEqual({
        pairs: 2,
        transformers: 1,
        locations: 3 - gone,
        absences: gone,
        lookups: 2,
        hits: 1,
      });
    }),
  );

  it(
    "of many locations of one blob each can be found, renewed and forgotten",
    withOne(async (cache) => {
      const many = Array.from({ length: 60 }, (_, i) => `${i}`);
      for (const location of many) await cache.recordKnownLocation("t", "s", gzip, location);
      expect(await places(cache)).toEqual(many.toReversed());
      await cache.recordKnownLocation("t", "s", gzip, "7");
      const expected = ["7", ...many.toReversed().filter((location) => location !== "7")];
      expect(await places(cache)).toEqual(expected);
      if (cache.forgetLocation === undefined) return;
      for (const location of expected) await cache.forgetLocation("t", "s", gzip, location);
      expect(await places(cache)).toEqual([]);
    }),
  );

  it("expire removes locations by age, and facts of any kind by number, the oldest first", async () => {
    let nowMs = 1_000;
    const cache = await factory({ logger: silentLogger, now: () => nowMs });
    try {
      if (cache.expire === undefined || cache.statistics === undefined) return;
      await cache.recordDigestUntransformedPair(gzip, plain);
      for (nowMs of [2_000, 3_000, 4_000, 5_000]) await cache.recordKnownLocation("t", "s", gzip, `${nowMs}`);
      if (options.acceptsSetup) {
        expect(await cache.expire({ maxAgeMs: 2_500 })).toBe(1);
        expect(await places(cache)).toEqual(["5000", "4000", "3000"]);
        expect(await cache.untransformedDigest(gzip)).toBe(plain);
      }
      expect(await cache.expire({ maxFacts: 2 })).toBe(options.acceptsSetup ? 3 : 4);
      expect(await places(cache)).toEqual(["5000", "4000"]);
      expect(await cache.untransformedDigest(gzip)).toBe(undefined);
      expect(await cache.untransformedDigest(plain)).toBe(undefined);
      expect(await cache.expire({ maxFacts: 2 })).toBe(0);
      expect(await cache.expire({ maxFacts: 0 })).toBe(2);
      const { pairs, transformers, locations, absences } = await cache.statistics();
      expect([pairs, transformers, locations, absences]).toEqual([0, 0, 0, 0]);
    } finally {
      await cache.close();
    }
  });

  it("what was exported and merged elsewhere results the same there, in the same order of time", async () => {
    const workload = fc.asyncProperty(
      steps({ canForget: true }),
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

  it("two caches' knowledge comes out the same in whichever order it is merged", async () => {
    const workload = fc.asyncProperty(steps({ canForget: true }), steps({ canForget: true }), async (first, second) => {
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
    "a merge brings nothing back that was found gone since",
    withThree(async (one, two) => {
      if (one.export === undefined || one.forgetLocation === undefined || two.merge === undefined) return;
      await one.recordKnownLocation("t", "s", gzip, "here");
      const old = await textOf(one);
      await one.forgetLocation("t", "s", gzip, "here");
      await two.merge([await textOf(one)]);
      await two.merge([old]);
      expect(await places(two)).toEqual([]);
    }),
  );

  it(
    "what is recorded after a merge is the newest",
    withThree(async (one, two) => {
      if (one.export === undefined || two.merge === undefined) return;
      for (let i = 0; i < 20; i++) await one.recordKnownLocation("t", "s", gzip, `${i}`);
      await two.merge([await textOf(one)]);
      await two.recordKnownLocation("t", "s", gzip, "last");
      expect((await places(two))[0]).toBe("last");
    }),
  );

  it(
    "text that is not an export is refused with a code, and what came before a bad line stays",
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
      expect(await places(two)).toEqual(["here"]);
    }),
  );

  it(
    "after close the other abilities are MOTE_CLOSED too",
    withOne(async (cache) => {
      await cache.close();
      const calls: ((() => Promise<unknown>) | undefined)[] = [
        cache.forgetLocation && (async () => cache.forgetLocation?.("t", "s", gzip, "here")),
        cache.statistics && (async () => cache.statistics?.()),
        cache.expire && (async () => cache.expire?.({ maxFacts: 1 })),
        cache.merge && (async () => cache.merge?.([])),
        cache.export && (async () => textOf(cache)),
      ];
      for (const call of calls) if (call !== undefined) expect(await codeOf(call)).toBe("MOTE_CLOSED");
    }),
  );
}

async function places(cache: BlobInfoCache): Promise<(string | undefined)[]> {
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
