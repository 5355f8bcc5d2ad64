import type { FetchLease } from "@mote/core";
import { needs, type RedisServer, startRedisServer } from "@mote/testbed";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { RedisFetchLeases } from "../src/index.js";
import { digestOf, errorOf, withCommands } from "./setup.js";

const skip = needs("redis-server");
const digest = digestOf("a layer");
const [a, b] = ["http://a:1", "http://b:2"];
const long = { durationMs: 60_000 };
const secret = "0123456789abcdef";

describe.skipIf(skip)(`RedisFetchLeases${skip}`, () => {
  let server: RedisServer;
  let prefixes = 0;
  beforeAll(async () => {
    server = await startRedisServer();
  });
  afterAll(() => server.stop());
  const nextPrefix = () => `test ${prefixes++}`;
  const create = (prefix = nextPrefix()) => new RedisFetchLeases(server.url, { prefix });

  it("sends one request for each call", async () => {
    await using leases = create();
    await leases.release(await leases.acquire(digest, a, long));
    await withCommands(server, async (redis) => {
      const count = async () => {
        const found = /^cmdstat_evalsha:calls=(\d+)/m.exec(await redis.info("commandstats"));
        return Number(found?.[1]);
      };
      // The first use of a script sends its text.
      await leases.renew(await leases.acquire(digest, a, long), long);
      const before = await count();
      const lease = await leases.acquire(digest, a, long);
      await leases.renew(lease, { ...long, isStored: true });
      await leases.release(lease);
      expect((await count()) - before).toBe(3);
    });
  });

  it("lets Redis remove a lease that has lapsed, which cannot be renewed then", async () => {
    const prefix = nextPrefix();
    await using leases = create(prefix);
    const lease = await leases.acquire(digest, a, { durationMs: 1 });
    await withCommands(server, (redis) => expect.poll(() => redis.exists(`{${prefix}}:fetch:${digest}`)).toBe(0));
    expect(await leases.renew(lease, long)).toBe(false);
  });

  it("loses leases, the last token and the secret with FLUSHALL, and nothing else", async () => {
    const prefix = nextPrefix();
    await using one = create(prefix);
    await using other = create(prefix);
    const first = await one.acquire(digest, a, long);
    await one.secret(secret);
    await withCommands(server, (redis) => redis.flushall());
    const second = await other.acquire(digest, b, long);
    expect([second.holder, second.token > first.token]).toEqual([b, true]);
    expect(await one.renew(first, long)).toBe(false);
    await one.release(first);
    expect(await one.acquire(digest, a, long)).toEqual(second);
    expect(await other.secret(`${secret} new`.replace(" ", "-"))).toBe(`${secret}-new`);
  });

  it("continues after Redis has restarted without its data and its scripts", async () => {
    await using first = await startRedisServer();
    await using leases = new RedisFetchLeases(first.url);
    const lease = await leases.acquire(digest, a, long);
    await first.stop();
    await using _again = await startRedisServer({ port: first.port });
    const renewed = () => leases.renew(lease, long).catch(() => "failed");
    await expect.poll(renewed).toBe(false);
    expect((await leases.acquire(digest, a, long)).token).toBeGreaterThan(lease.token);
  });

  it("throws MOTE_UNREACHABLE within its time if Redis is down or does not respond, and can be closed", async () => {
    await using slow = await startRedisServer();
    const leases = new RedisFetchLeases(slow.url, { timeoutMs: 200 });
    const lease = await leases.acquire(digest, a, long);
    slow.signal("SIGSTOP");
    const calls = (of: RedisFetchLeases) => [
      of.acquire(digest, a, long),
      of.renew(lease, long),
      of.release(lease),
      of.secret(secret),
    ];
    for (const call of calls(leases)) expect((await errorOf(call)).code).toBe("MOTE_UNREACHABLE");
    slow.signal("SIGCONT");
    await slow.stop();
    const down = new RedisFetchLeases(slow.url, { timeoutMs: 200 });
    for (const call of calls(down)) expect((await errorOf(call)).code).toBe("MOTE_UNREACHABLE");
    for (const each of [leases, down]) await each[Symbol.asyncDispose]();
  });

  it("ends a call that waits for Redis when it is aborted", async () => {
    await using slow = await startRedisServer();
    await using leases = new RedisFetchLeases(slow.url);
    const lease = await leases.acquire(digest, a, long);
    slow.signal("SIGSTOP");
    const controller = new AbortController();
    const { signal } = controller;
    const calls = [leases.acquire(digest, a, { ...long, signal }), leases.release(lease, { signal })];
    controller.abort(new RangeError("enough"));
    for (const call of calls) await expect(call).rejects.toThrow(RangeError);
    slow.signal("SIGCONT");
  });

  it("throws MOTE_NO_SPACE if Redis is full, and MOTE_IO if the key has another type", async () => {
    await using full = await startRedisServer();
    await using leases = new RedisFetchLeases(full.url, { prefix: "full" });
    await withCommands(full, (redis) => redis.lpush(`{full}:fetch:${digest}`, "x"));
    expect((await errorOf(leases.acquire(digest, a, long))).code).toBe("MOTE_IO");
    await withCommands(full, (redis) => redis.config("SET", "maxmemory", "1"));
    expect((await errorOf(leases.acquire(digestOf("other"), a, long))).code).toBe("MOTE_NO_SPACE");
  });

  it("treats a damaged or hostile value as no lease", async () => {
    const prefix = nextPrefix();
    await using leases = create(prefix);
    const key = `{${prefix}}:fetch:${digest}`;
    const tokenKey = `{${prefix}}:fetch-token`;
    const plant = (value: string, durationMs: number | undefined, token = "1") =>
      withCommands(server, async (redis) => {
        await redis.set(key, value);
        if (durationMs !== undefined) await redis.pexpire(key, durationMs);
        await redis.set(tokenKey, token);
      });
    for (const [value, durationMs, token] of [
      [`7 0 ${b}`, undefined],
      [`7 0 ${b}`, 86_400_000_000],
      ["7 0 file:///etc/passwd", 60_000],
      ["7 0 http://user:password@b", 60_000],
      [`7 0 http://${"x".repeat(3_000)}`, 60_000],
      [`0 0 ${b}`, 60_000],
      [`-1 0 ${b}`, 60_000],
      [`7 2 ${b}`, 60_000],
      [`99999999999999999999 0 ${b}`, 60_000],
      [`${"9".repeat(100_000)} 0 ${b}`, 60_000],
      ["", 60_000, "nan"],
      ["", 60_000, "1e300"],
      ["", 60_000, "9007199254740991"],
      ["", 60_000, "not a number"],
    ] as const) {
      await plant(value, durationMs, token);
      const lease: FetchLease = await leases.acquire(digest, a, long);
      const shown = value.slice(0, 80);
      expect([shown, lease.holder, Number.isSafeInteger(lease.token)]).toEqual([shown, a, true]);
      expect(await leases.renew(lease, long)).toBe(true);
    }
    await plant(`7 1 ${b}`, 60_000);
    expect(await leases.acquire(digest, a, long)).toEqual({ digest, holder: b, token: 7, isStored: true });
  });
});
