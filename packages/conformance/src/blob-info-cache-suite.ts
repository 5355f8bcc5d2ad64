import {
  type BlobInfoCache,
  type Digest,
  digestBytes,
  type Logger,
  MoteError,
  type ReplacementCandidate,
  silentLogger,
  UNKNOWN_TRANSFORMER,
  UNTRANSFORMED,
} from "@mote/core";
import { abilities } from "./blob-info-cache-abilities.js";
import type { TestApi } from "./test-api.js";

/** What a cache may be made with, so that its warnings can be heard and its clock set. */
export interface BlobInfoCacheSetup {
  readonly logger: Logger;
  /** Unix milliseconds. */
  readonly now: () => number;
}

/** Makes an empty cache. The suite closes it; what it leaves on disk is the factory's to remove. */
export type BlobInfoCacheFactory = (setup: BlobInfoCacheSetup) => BlobInfoCache | Promise<BlobInfoCache>;

export interface BlobInfoCacheSuiteOptions {
  /** Whether the factory's caches take logger and clock of its setup. Default false: warnings and clocks are not tried. */
  readonly takesSetup?: boolean | undefined;
}

const digestOf = (name: string): Digest => digestBytes(new TextEncoder().encode(name));
const plain = digestOf("plain");
const gzip = digestOf("gzip");
const zstd = digestOf("zstd");
const other = digestOf("other");
const nobody = digestOf("nobody");
const transport = "test transport";

/** The rules that every `BlobInfoCache` keeps, tried with and without `open` and `close`. */
export function blobInfoCacheSuite(
  api: TestApi,
  factory: BlobInfoCacheFactory,
  options: BlobInfoCacheSuiteOptions = {},
): void {
  api.describe("without open", () => {
    rules(api, options, async (setup, use) => {
      await using cache = await factory(setup);
      await use(cache);
    });
  });
  api.describe("with open and close", () => {
    rules(api, options, async (setup, use) => {
      const cache = await factory(setup);
      await cache.open();
      try {
        await use(cache);
      } finally {
        await cache.close();
      }
    });
  });
  lifeCycle(api, factory);
  abilities(api, factory, options);
}

type WithCache = (setup: BlobInfoCacheSetup, use: (cache: BlobInfoCache) => Promise<void>) => Promise<void>;

function rules(api: TestApi, options: BlobInfoCacheSuiteOptions, withCache: WithCache): void {
  const { it, expect } = api;
  const test = (name: string, body: (cache: BlobInfoCache, warnings: string[]) => Promise<void>) =>
    it(name, async () => {
      const warnings: string[] = [];
      const logger: Logger = { ...silentLogger, warn: (message) => void warnings.push(message) };
      await withCache({ logger, now: Date.now }, (cache) => body(cache, warnings));
    });

  test("of a digest that nobody recorded nothing is known", async (cache) => {
    expect(await cache.untransformedDigest(nobody)).toBe(undefined);
    expect(await cache.candidateLocations(transport, "A", nobody, { canSubstitute: false })).toEqual([]);
    expect(await cache.candidateLocations(transport, "A", nobody, { canSubstitute: true })).toEqual([]);
  });

  test("a pair tells the untransformed digest of both of its digests, recorded once or twice", async (cache, warnings) => {
    for (const _ of [1, 2]) {
      await cache.recordDigestUntransformedPair(gzip, plain);
      await cache.recordDigestUntransformedPair(zstd, plain);
      expect(await cache.untransformedDigest(gzip)).toBe(plain);
      expect(await cache.untransformedDigest(zstd)).toBe(plain);
      expect(await cache.untransformedDigest(plain)).toBe(plain);
    }
    expect(warnings.length).toBe(0);
  });

  test("a digest may be recorded as its own untransformed form", async (cache) => {
    await cache.recordDigestUntransformedPair(other, other);
    expect(await cache.untransformedDigest(other)).toBe(other);
  });

  test("a conflicting pair is overwritten with a warning, and leaves the forms of the first", async (cache, warnings) => {
    await cache.recordDigestUntransformedPair(gzip, plain);
    await cache.recordKnownLocation(transport, "A", gzip, "gzip");
    await cache.recordDigestUntransformedPair(gzip, other);
    if (options.takesSetup) expect(warnings.length).toBe(1);
    expect(await cache.untransformedDigest(gzip)).toBe(other);
    expect(await cache.untransformedDigest(plain)).toBe(plain);
    expect(await cache.candidateLocations(transport, "A", plain, { canSubstitute: true })).toEqual([]);
    expect(places(await cache.candidateLocations(transport, "A", other, { canSubstitute: true }))).toEqual(["gzip"]);
  });

  test("what was recorded of a digest itself outlasts a pair in which it is the untransformed one", async (cache) => {
    await cache.recordDigestUntransformedPair(gzip, plain);
    await cache.recordDigestUntransformedPair(zstd, gzip);
    expect(await cache.untransformedDigest(zstd)).toBe(gzip);
    expect(await cache.untransformedDigest(gzip)).toBe(plain);
  });

  test("a pair sets no transformer name", async (cache) => {
    await cache.recordDigestUntransformedPair(gzip, plain);
    await cache.recordKnownLocation(transport, "A", plain, "here");
    const [candidate] = await cache.candidateLocations(transport, "A", plain, { canSubstitute: false });
    expect(candidate?.transformerName).toBe(UNKNOWN_TRANSFORMER);
  });

  test("a transformer's name comes with the candidate, until it is recorded as unknown", async (cache) => {
    await cache.recordKnownLocation(transport, "A", gzip, "here");
    const name = async () =>
      (await cache.candidateLocations(transport, "A", gzip, { canSubstitute: false }))[0]?.transformerName;
    expect(await name()).toBe(UNKNOWN_TRANSFORMER);
    await cache.recordDigestTransformerName(gzip, "gzip");
    expect(await name()).toBe("gzip");
    await cache.recordDigestTransformerName(gzip, UNTRANSFORMED);
    expect(await name()).toBe(UNTRANSFORMED);
    await cache.recordDigestTransformerName(gzip, UNKNOWN_TRANSFORMER);
    expect(await name()).toBe(UNKNOWN_TRANSFORMER);
  });

  test("a transformer's variant outlasts a record of its base alone, and no other record", async (cache, warnings) => {
    await cache.recordKnownLocation(transport, "A", zstd, "here");
    const name = async () =>
      (await cache.candidateLocations(transport, "A", zstd, { canSubstitute: false }))[0]?.transformerName;
    await cache.recordDigestTransformerName(zstd, "zstd");
    await cache.recordDigestTransformerName(zstd, "zstd:chunked");
    await cache.recordDigestTransformerName(zstd, "zstd");
    expect(await name()).toBe("zstd:chunked");
    expect(warnings.length).toBe(0);
    await cache.recordDigestTransformerName(zstd, "gzip");
    expect(await name()).toBe("gzip");
    if (options.takesSetup) expect(warnings.length).toBe(1);
  });

  test("a candidate tells digest, transformer, location and the time last seen", async (cache) => {
    const before = Date.now();
    await cache.recordKnownLocation(transport, "A", gzip, "here");
    const [candidate, ...rest] = await cache.candidateLocations(transport, "A", gzip, { canSubstitute: false });
    const { lastSeenMs, ...known } = candidate ?? { lastSeenMs: undefined };
    expect(known).toEqual({ digest: gzip, transformerName: UNKNOWN_TRANSFORMER, location: "here" });
    expect(lastSeenMs !== undefined && lastSeenMs >= before && lastSeenMs <= Date.now()).toBe(true);
    expect(rest).toEqual([]);
  });

  test("locations come newest first, and transports, scopes and digests do not affect each other", async (cache) => {
    for (const _ of [1, 2]) {
      for (const way of ["x", "y"]) {
        for (const scope of ["A", "B"]) {
          for (const digest of [gzip, zstd]) {
            await cache.recordKnownLocation(way, scope, digest, `${way}${scope}2`);
            await cache.recordKnownLocation(way, scope, digest, `${way}${scope}1`);
            const found = await cache.candidateLocations(way, scope, digest, { canSubstitute: false });
            expect(places(found)).toEqual([`${way}${scope}1`, `${way}${scope}2`]);
          }
        }
      }
    }
  });

  test("a location recorded again is the newest again", async (cache) => {
    for (const location of ["1", "2", "3", "1"]) await cache.recordKnownLocation(transport, "A", gzip, location);
    const found = await cache.candidateLocations(transport, "A", gzip, { canSubstitute: false });
    expect(places(found)).toEqual(["1", "3", "2"]);
  });

  test("records that are made together keep the order of their calls", async (cache) => {
    const locations = Array.from({ length: 100 }, (_, i) => `${i}`);
    await Promise.all(locations.map((location) => cache.recordKnownLocation(transport, "A", gzip, location)));
    const found = await cache.candidateLocations(transport, "A", gzip, { canSubstitute: false });
    expect(places(found)).toEqual(locations.toReversed());
  });

  test("any text is a transport, a scope and a location", async (cache) => {
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
        expect(places(found)).toEqual([`${text}|${scope}`]);
      }
    }
    const found = await cache.candidateLocations(transport, "all", gzip, { canSubstitute: false });
    expect(places(found)).toEqual(texts.toReversed());
  });

  test("digests of every algorithm are told apart", async (cache) => {
    const digests = (["sha256", "sha384", "sha512"] as const).map((name) => digestBytes(new Uint8Array(), name));
    for (const digest of digests) await cache.recordKnownLocation(transport, "A", digest, digest);
    for (const digest of digests) {
      const found = await cache.candidateLocations(transport, "A", digest, { canSubstitute: false });
      expect(places(found)).toEqual([digest]);
    }
  });

  test("substitutes stand between the asked digest and the untransformed one, by time", async (cache) => {
    await cache.recordDigestUntransformedPair(gzip, plain);
    await cache.recordDigestUntransformedPair(zstd, plain);
    const names = { P: plain, G: gzip, Z: zstd, O: other };
    for (const round of ["2", "1"]) {
      for (const [name, digest] of Object.entries(names)) {
        await cache.recordKnownLocation(transport, "A", digest, name + round);
      }
    }
    const substitutes = async (digest: Digest) =>
      places(await cache.candidateLocations(transport, "A", digest, { canSubstitute: true })).join(" ");
    expect(await substitutes(gzip)).toBe("G1 G2 Z1 Z2 P1 P2");
    expect(await substitutes(zstd)).toBe("Z1 Z2 G1 G2 P1 P2");
    expect(await substitutes(plain)).toBe("P1 P2 Z1 G1 Z2 G2");
    expect(await substitutes(other)).toBe("O1 O2");
    const own = await cache.candidateLocations(transport, "A", gzip, { canSubstitute: false });
    expect(places(own)).toEqual(["G1", "G2"]);
  });

  test("max bounds the candidates after they are ordered", async (cache) => {
    await cache.recordDigestUntransformedPair(gzip, plain);
    for (const location of ["1", "2", "3"]) await cache.recordKnownLocation(transport, "A", plain, `P${location}`);
    await cache.recordKnownLocation(transport, "A", gzip, "G");
    const found = await cache.candidateLocations(transport, "A", gzip, { canSubstitute: true, max: 2 });
    expect(places(found)).toEqual(["G", "P3"]);
    expect(await cache.candidateLocations(transport, "A", gzip, { canSubstitute: true, max: 0 })).toEqual([]);
  });

  test("where asked for, two forms without a known place follow the others, within max", async (cache) => {
    await cache.recordDigestUntransformedPair(gzip, plain);
    await cache.recordDigestUntransformedPair(zstd, plain);
    await cache.recordKnownLocation(transport, "A", plain, "here");
    const asked = { canSubstitute: true, includeUnknownLocations: true };
    const found = await cache.candidateLocations(transport, "A", gzip, asked);
    expect(found.map(({ digest, location }) => [digest, location])).toEqual([
      [plain, "here"],
      [gzip, undefined],
      [zstd, undefined],
    ]);
    expect((await cache.candidateLocations(transport, "A", gzip, { ...asked, max: 2 })).length).toBe(2);
    expect((await cache.candidateLocations(transport, "B", gzip, asked)).length).toBe(2);
    expect(await cache.candidateLocations(transport, "A", nobody, asked)).toEqual([]);
  });

  test("required transformers leave the rest out; preferred ones come first among the substitutes", async (cache) => {
    const made = { gzip, zstd: other, "zstd:chunked": zstd };
    for (const [name, digest] of Object.entries(made)) {
      await cache.recordDigestUntransformedPair(digest, plain);
      await cache.recordDigestTransformerName(digest, name);
      await cache.recordKnownLocation(transport, "A", digest, name);
    }
    await cache.recordKnownLocation(transport, "A", plain, "plain");
    const found = async (more: object) =>
      places(await cache.candidateLocations(transport, "A", plain, { canSubstitute: true, ...more }));
    expect(await found({})).toEqual(["plain", "zstd:chunked", "zstd", "gzip"]);
    expect(await found({ requiredTransformers: ["zstd"] })).toEqual(["zstd:chunked", "zstd"]);
    expect(await found({ requiredTransformers: ["zstd:chunked", "gzip"] })).toEqual(["zstd:chunked", "gzip"]);
    expect(await found({ requiredTransformers: [] })).toEqual([]);
    expect(await found({ preferredTransformers: ["gzip", "zstd"] })).toEqual(["plain", "gzip", "zstd:chunked", "zstd"]);
  });

  if (options.takesSetup) {
    it("the order is that of the records, whatever the clock does", async () => {
      const times = [5_000, 5_000, 3_000, 9_000, 1_000];
      let at = 0;
      const setup = { logger: silentLogger, now: () => times[at] ?? 0 };
      await withCache(setup, async (cache) => {
        for (at = 0; at < times.length; at++) await cache.recordKnownLocation(transport, "A", gzip, `${at}`);
        const found = await cache.candidateLocations(transport, "A", gzip, { canSubstitute: false });
        expect(places(found)).toEqual(["4", "3", "2", "1", "0"]);
        expect(found.map(({ lastSeenMs }) => lastSeenMs)).toEqual(times.toReversed());
      });
    });
  }

  test("a digest that is none is refused", async (cache) => {
    const bad = "sha256:abc" as Digest;
    const calls = [
      () => cache.untransformedDigest(bad),
      () => cache.recordDigestUntransformedPair(bad, plain),
      () => cache.recordDigestUntransformedPair(plain, bad),
      () => cache.recordDigestTransformerName(bad, "gzip"),
      () => cache.recordKnownLocation(transport, "A", bad, "here"),
      () => cache.candidateLocations(transport, "A", bad, { canSubstitute: false }),
    ];
    for (const call of calls) expect(await codeOf(call)).toBe("MOTE_INVALID_DIGEST");
  });

  test("an aborted signal's own reason is thrown, and nothing is recorded", async (cache) => {
    const reason = new Error("enough");
    const signal = AbortSignal.abort(reason);
    const calls = [
      () => cache.untransformedDigest(plain, { signal }),
      () => cache.recordDigestUntransformedPair(gzip, plain, { signal }),
      () => cache.recordDigestTransformerName(gzip, "gzip", { signal }),
      () => cache.recordKnownLocation(transport, "A", gzip, "here", { signal }),
      () => cache.candidateLocations(transport, "A", gzip, { canSubstitute: false, signal }),
    ];
    for (const call of calls) expect(await thrownBy(call)).toBe(reason);
    expect(await cache.untransformedDigest(gzip)).toBe(undefined);
    expect(await cache.candidateLocations(transport, "A", gzip, { canSubstitute: false })).toEqual([]);
  });
}

function lifeCycle({ it, expect }: TestApi, factory: BlobInfoCacheFactory): void {
  const setup: BlobInfoCacheSetup = { logger: silentLogger, now: Date.now };

  it("open may be repeated, close and disposal too, and close needs no open", async () => {
    const cache = await factory(setup);
    await cache.open();
    await cache.open();
    await cache.close();
    await cache.close();
    await cache[Symbol.asyncDispose]();
    const unopened = await factory(setup);
    await unopened.close();
  });

  it("after close everything but close is MOTE_CLOSED, open too", async () => {
    const cache = await factory(setup);
    await cache.recordKnownLocation(transport, "A", gzip, "here");
    await cache.close();
    const calls = [
      () => cache.open(),
      () => cache.untransformedDigest(plain),
      () => cache.recordDigestUntransformedPair(gzip, plain),
      () => cache.recordDigestTransformerName(gzip, "gzip"),
      () => cache.recordKnownLocation(transport, "A", gzip, "here"),
      () => cache.candidateLocations(transport, "A", gzip, { canSubstitute: false }),
    ];
    for (const call of calls) expect(await codeOf(call)).toBe("MOTE_CLOSED");
  });

  it("close waits for the records that were made before it", async () => {
    const cache = await factory(setup);
    const records = [1, 2, 3].map((n) => cache.recordKnownLocation(transport, "A", gzip, `${n}`));
    await cache.close();
    expect(await Promise.all(records)).toEqual([undefined, undefined, undefined]);
  });
}

function places(candidates: readonly ReplacementCandidate[]): (string | undefined)[] {
  return candidates.map(({ location }) => location);
}

async function thrownBy(call: () => Promise<unknown>): Promise<unknown> {
  try {
    await call();
  } catch (error) {
    return error;
  }
  return undefined;
}

async function codeOf(call: () => Promise<unknown>): Promise<string | undefined> {
  const error = await thrownBy(call);
  return MoteError.isInstance(error) ? error.code : undefined;
}
