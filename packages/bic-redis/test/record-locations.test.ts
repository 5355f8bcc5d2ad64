import { needs, type RedisServer, startRedisServer } from "@mote/testbed";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { RedisBlobInfoCache } from "../src/index.js";
import { digestOf, errorOf, locationsOf, record, withCommands } from "./setup.js";

const skip = needs("redis-server");
const hourMs = 3_600_000;

describe.skipIf(skip)(`locations that are recorded by a script of their own${skip}`, () => {
  let server: RedisServer;
  let prefixes = 0;
  beforeAll(async () => {
    server = await startRedisServer();
  });
  afterAll(() => server.stop());
  const create = (options = {}) => new RedisBlobInfoCache(server.url, { prefix: `test ${prefixes++}`, ...options });

  it("keep the order of the records over several scripts", async () => {
    await using cache = create();
    const names = Array.from({ length: 1_500 }, (_, at) => `${at}`);
    await Promise.all(names.map((name) => record(cache, "blob", name)));
    expect(await locationsOf(cache, "blob")).toEqual(names.toReversed());
  });

  it("keep the order of the records when another client has used their sequences", async () => {
    const prefix = "ahead";
    await using ahead = create({ prefix, now: () => Date.now() + hourMs });
    await using cache = create({ prefix });
    await record(ahead, "blob", "ahead");
    const names = Array.from({ length: 1_500 }, (_, at) => `${at}`);
    await Promise.all(names.map((name) => record(cache, "blob", name)));
    expect(await locationsOf(cache, "blob")).toEqual([...names.toReversed(), "ahead"]);
  });

  it("are in the index of their last record only", async () => {
    await using cache = create();
    const gone = () => cache.removeKnownLocation("t", "s", digestOf("blob"), "here");
    await Promise.all([record(cache, "blob"), gone()]);
    expect(await cache.statistics()).toMatchObject({ locations: 0, negativeRecords: 1 });
    await Promise.all([record(cache, "blob"), gone(), record(cache, "blob")]);
    expect(await cache.statistics()).toMatchObject({ locations: 1, negativeRecords: 0 });
    expect(await locationsOf(cache, "blob")).toEqual(["here"]);
    const facts = [];
    for await (const line of cache.export()) facts.push(JSON.parse(line).fact);
    expect(facts).toEqual([undefined, "location"]);
  });

  it("lose none when several clients record concurrently", async () => {
    const prefix = "concurrent";
    const caches = Array.from({ length: 3 }, () => create({ prefix }));
    await Promise.all(
      caches.flatMap((cache, own) =>
        Array.from({ length: 700 }, (_, at) => record(cache, "blob", at % 2 === 0 ? `${at}` : `${own} ${at}`)),
      ),
    );
    expect(await caches[0]?.statistics()).toMatchObject({ locations: 350 + 3 * 350, negativeRecords: 0 });
    for (const cache of caches) await cache.close();
  });

  it("do not replace a newer record, unless it is a negative one that is no longer valid", async () => {
    const prefix = "newer";
    await using cache = create({ prefix, negativeMaxAgeMs: hourMs });
    const row = (name: string) => `{${prefix}}:at:["t","s","${digestOf(name)}"]`;
    const newer = 9_000_000_000_000_000;
    await withCommands(server, async (redis) => {
      await redis.hset(row("seen"), '"here"', `${newer} ${Date.now()} 0`);
      await redis.hset(row("gone"), '"here"', `${newer} ${Date.now()} 1`);
      await redis.hset(row("old"), '"here"', `${newer} ${Date.now() - 2 * hourMs} 1`);
      await redis.hset(row("damaged"), '"here"', "another program");
    });
    await cache.removeKnownLocation("t", "s", digestOf("seen"), "here");
    for (const name of ["gone", "old", "damaged"]) await record(cache, name);
    const found = [];
    for (const name of ["seen", "gone", "old", "damaged"]) found.push((await locationsOf(cache, name)).length);
    expect(found).toEqual([1, 0, 1, 1]);
  });

  it("fail for every caller with the code of the error", async () => {
    await using gone = await startRedisServer();
    await using cache = new RedisBlobInfoCache(gone.url, { timeoutMs: 500 });
    await record(cache, "a");
    await withCommands(gone, (redis) => redis.config("SET", "maxmemory", "1"));
    const all = () => Promise.all(Array.from({ length: 1_500 }, (_, at) => errorOf(record(cache, at))));
    expect(new Set((await all()).map(({ code }) => code))).toEqual(new Set(["MOTE_NO_SPACE"]));
    await gone.stop();
    expect(new Set((await all()).map(({ code }) => code))).toEqual(new Set(["MOTE_UNREACHABLE"]));
  });
});
