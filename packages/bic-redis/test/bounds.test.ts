import { needs, type RedisServer, startRedisServer } from "@mote/testbed";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { RedisBlobInfoCache } from "../src/index.js";
import { digestOf, errorOf, locationsOf, record, withCommands } from "./setup.js";

const skip = needs("redis-server");
const hourMs = 3_600_000;

describe.skipIf(skip)(`RedisBlobInfoCache with bounds and several clients${skip}`, () => {
  let server: RedisServer;
  let prefixes = 0;
  beforeAll(async () => {
    server = await startRedisServer();
  });
  afterAll(() => server.stop());
  const create = (options = {}) => new RedisBlobInfoCache(server.url, { prefix: `test ${prefixes++}`, ...options });

  it("has at most maxFacts facts, the newest of all kinds", async () => {
    await using cache = create({ maxFacts: 100 });
    await cache.recordDigestUntransformedPair(digestOf("gzip"), digestOf("plain"));
    await cache.recordDigestTransformerName(digestOf("gzip"), "gzip");
    await record(cache, "plain");
    for (let at = 0; at < 250; at += 50) {
      await Promise.all(Array.from({ length: 50 }, (_, i) => record(cache, at + i)));
    }
    const { locations, pairs, transformers, negativeRecords } = await cache.statistics();
    expect({ locations, pairs, transformers, negativeRecords }).toEqual({
      locations: 100,
      pairs: 0,
      transformers: 0,
      negativeRecords: 0,
    });
    expect(await locationsOf(cache, 249)).toEqual(["here"]);
    expect(await locationsOf(cache, 149)).toEqual([]);
    expect(await cache.untransformedDigest(digestOf("gzip"))).toBe(undefined);
    // The index from a content to its forms is removed with its pairs.
    const found = await cache.candidateLocations("t", "s", digestOf("plain"), {
      canSubstitute: true,
      includeUnknownLocations: true,
    });
    expect(found).toEqual([]);
  });

  it("stores nothing with a maximum of 0, and rejects a bound that is not a number", async () => {
    await using cache = create({ maxFacts: 0 });
    await record(cache, "a");
    expect((await cache.statistics()).locations).toBe(0);
    expect(() => create({ maxFacts: Number.NaN })).toThrow(TypeError);
    expect(() => create({ timeoutMs: 0 })).toThrow(TypeError);
  });

  it("removes old locations and negative records when others are recorded, by the clock of Redis", async () => {
    let nowMs = Date.now() - 3 * hourMs;
    await using cache = create({ maxAgeMs: 2 * hourMs, negativeMaxAgeMs: hourMs, now: () => nowMs });
    await record(cache, "old");
    await record(cache, "gone");
    await cache.removeKnownLocation("t", "s", digestOf("gone"), "here");
    nowMs = Date.now();
    await record(cache, "new");
    expect(await cache.statistics()).toMatchObject({ locations: 1, negativeRecords: 0 });
    expect(await locationsOf(cache, "new")).toEqual(["here"]);
  });

  it("lets Redis expire the rows of locations", async () => {
    const prefix = "expiring";
    await using cache = create({ prefix, maxAgeMs: hourMs });
    await record(cache, "a");
    await withCommands(server, async (redis) => {
      const [row = ""] = await redis.keys(`{${prefix}}:at:*`);
      const leftMs = await redis.pttl(row);
      expect(leftMs).toBeGreaterThan(0);
      expect(leftMs).toBeLessThanOrEqual(hourMs);
    });
  });

  it("loses no record when several clients write the same rows concurrently", async () => {
    const prefix = "together";
    const caches = Array.from({ length: 4 }, () => create({ prefix }));
    for (let round = 0; round < 25; round++) {
      await Promise.all(
        caches.flatMap((cache, own) => [
          record(cache, "blob", `${own} ${round}`),
          record(cache, "blob", "all"),
          cache.recordDigestUntransformedPair(digestOf(`gzip ${own}`), digestOf("plain")),
          cache.recordDigestTransformerName(digestOf("plain"), "untransformed"),
        ]),
      );
    }
    const [first] = caches;
    expect(await first?.statistics()).toMatchObject({ locations: 101, pairs: 5, transformers: 1 });
    for (const cache of caches) await cache.close();
  });

  it("orders records by a sequence of the store, not by the clocks of the clients", async () => {
    const prefix = "order";
    await using ahead = create({ prefix, now: () => Date.now() + hourMs });
    await using behind = create({ prefix, now: () => Date.now() - hourMs });
    await record(ahead, "blob", "first");
    await record(behind, "blob", "second");
    await record(ahead, "blob", "third");
    await record(behind, "blob", "first");
    for (const cache of [ahead, behind]) expect(await locationsOf(cache, "blob")).toEqual(["first", "third", "second"]);
  });

  it("shares facts by prefix", async () => {
    await using one = create({ prefix: "one" });
    await using two = create({ prefix: "two" });
    await record(one, "a");
    expect(await locationsOf(two, "a")).toEqual([]);
    await using again = create({ prefix: "one" });
    expect(await locationsOf(again, "a")).toEqual(["here"]);
  });

  it("throws MOTE_CONFIG for a URL that it does not understand, without its password", async () => {
    for (const url of [
      "http://secret@host",
      "redis://",
      "redis://a:secret@h:99999",
      "redis://h/x",
      "redis-sentinel://secret@h",
    ]) {
      const error = await errorOf((async () => new RedisBlobInfoCache(url))());
      expect(error.code).toBe("MOTE_CONFIG");
      expect(error.message).not.toContain("secret");
    }
  });
});
