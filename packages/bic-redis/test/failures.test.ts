import { needs, type RedisServer, startRedisServer } from "@mote/testbed";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { RedisBlobInfoCache } from "../src/index.js";
import { digestOf, errorOf, locationsOf, record, withCommands } from "./setup.js";

const skip = needs("redis-server");

describe.skipIf(skip)(`RedisBlobInfoCache when Redis fails${skip}`, () => {
  let server: RedisServer;
  let prefixes = 0;
  beforeAll(async () => {
    server = await startRedisServer();
  });
  afterAll(() => server.stop());
  const create = (options = {}) => new RedisBlobInfoCache(server.url, { prefix: `test ${prefixes++}`, ...options });

  it("throws MOTE_UNREACHABLE without its password if nothing listens, and can be closed", async () => {
    await using gone = await startRedisServer();
    await gone.stop();
    const cache = new RedisBlobInfoCache(`redis://user:secret@127.0.0.1:${gone.port}`, { timeoutMs: 2_000 });
    for (const call of [cache.open(), record(cache, "a"), locationsOf(cache, "a")]) {
      const error = await errorOf(call);
      expect(error.code).toBe("MOTE_UNREACHABLE");
      expect(`${error.message} ${JSON.stringify(error.details)}`).not.toContain("secret");
    }
    await cache.close();
  });

  it("fails at once after several calls that failed, and works again when Redis is back", async () => {
    await using first = await startRedisServer();
    await using cache = new RedisBlobInfoCache(first.url, { timeoutMs: 300 });
    await record(cache, "a");
    await first.stop();
    const codes = [];
    for (let i = 0; i < 4; i++) codes.push((await errorOf(record(cache, "b"))).code);
    expect(codes).toEqual(Array.from({ length: 4 }, () => "MOTE_UNREACHABLE"));
    expect((await errorOf(record(cache, "b"))).message).toContain("the next request is in");
    await using _again = await startRedisServer({ port: first.port });
    await expect
      .poll(() =>
        record(cache, "b").then(
          () => "recorded",
          () => "failed",
        ),
      )
      .toBe("recorded");
    expect(await locationsOf(cache, "b")).toEqual(["here"]);
  });

  it("ends every call within its time if Redis does not respond, and continues when it does", async () => {
    await using slow = await startRedisServer();
    await using cache = new RedisBlobInfoCache(slow.url, { timeoutMs: 200 });
    await record(cache, "a");
    slow.signal("SIGSTOP");
    const errors = await Promise.all([errorOf(record(cache, "b")), errorOf(locationsOf(cache, "a"))]);
    expect(errors.map(({ code }) => code)).toEqual(["MOTE_UNREACHABLE", "MOTE_UNREACHABLE"]);
    slow.signal("SIGCONT");
    await expect.poll(() => locationsOf(cache, "a").catch(() => "failed")).toEqual(["here"]);
    await record(cache, "c");
    expect(await locationsOf(cache, "c")).toEqual(["here"]);
  });

  it("starts empty after FLUSHALL, while it is open", async () => {
    await using cache = create();
    await record(cache, "a");
    await cache.recordDigestUntransformedPair(digestOf("gzip"), digestOf("plain"));
    await withCommands(server, (redis) => redis.flushall());
    expect(await locationsOf(cache, "a")).toEqual([]);
    expect(await cache.untransformedDigest(digestOf("gzip"))).toBe(undefined);
    await record(cache, "a", "again");
    expect(await locationsOf(cache, "a")).toEqual(["again"]);
    expect(await cache.statistics()).toMatchObject({ locations: 1, pairs: 0 });
  });

  it("continues after Redis has lost its scripts", async () => {
    await using cache = create();
    await record(cache, "a");
    await withCommands(server, (redis) => redis.script("FLUSH"));
    await record(cache, "b");
    expect(await locationsOf(cache, "a")).toEqual(["here"]);
  });

  it("continues after Redis has evicted or expired any of its keys", async () => {
    const prefix = "evicted";
    await using cache = create({ prefix });
    for (const name of ["a", "b"]) {
      await record(cache, name);
      await cache.recordDigestUntransformedPair(digestOf(`${name} gzip`), digestOf(name));
    }
    const keys = await withCommands(server, (redis) => redis.keys(`{${prefix}}*`));
    expect(keys.length).toBeGreaterThan(8);
    for (const key of keys) {
      await withCommands(server, (redis) => redis.del(key));
      let text = "";
      for await (const line of cache.export()) text += line;
      await record(cache, "c");
      await cache.merge([text]);
      expect(await locationsOf(cache, "c")).toEqual(["here"]);
    }
  });

  it("throws MOTE_NO_SPACE if Redis is full, and look-ups work", async () => {
    await using full = await startRedisServer();
    await using cache = new RedisBlobInfoCache(full.url);
    await record(cache, "a");
    await withCommands(full, (redis) => redis.config("SET", "maxmemory", "1"));
    expect((await errorOf(record(cache, "b"))).code).toBe("MOTE_NO_SPACE");
    expect(await locationsOf(cache, "a")).toEqual(["here"]);
  });

  it("rejects an unknown version of the format, when it is opened and when it appears later", async () => {
    const prefix = "format";
    await using cache = create({ prefix });
    await record(cache, "a");
    await withCommands(server, (redis) => redis.set(`{${prefix}}:format`, "99"));
    expect((await errorOf(record(cache, "b"))).code).toBe("MOTE_UNSUPPORTED_FORMAT");
    await using other = create({ prefix });
    expect((await errorOf(other.open())).code).toBe("MOTE_UNSUPPORTED_FORMAT");
  });
});
