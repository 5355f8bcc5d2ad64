import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { blobInfoCacheSuite, fetchLeasesSuite } from "@mote/conformance";
import { needs, type RedisServer, startRedisServer } from "@mote/testbed";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { RedisBlobInfoCache, RedisFetchLeases } from "../src/index.js";
import { digestOf, errorOf, locationsOf, record, withCommands } from "./setup.js";

const skip = needs("redis-server");
const skipTls = needs("redis-server", "openssl");
/** The commands and keys that a user needs, as in the README. */
const permissions =
  "~{mote-bic}:* +eval +evalsha +get +set +hget +hgetall +hset +hdel +hexists +smembers +sadd +srem +zadd +zrem +zcard +zrange +zrangebyscore +zscan +pexpire +persist +del +pttl +time +select +info +hello";

describe.skipIf(skip)(`RedisBlobInfoCache and users${skip}`, () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await startRedisServer();
    await withCommands(server, async (redis) => {
      await redis.acl("SETUSER", "mote", "on", ">pass:word", ...permissions.split(" "));
      await redis.acl("SETUSER", "locked", "on", ">pass", "~*", "-@all", "+hello", "+info");
    });
  });
  afterAll(() => server.stop());
  const create = (login: string) => new RedisBlobInfoCache(`redis://${login}@127.0.0.1:${server.port}/0`);

  it("works with the documented permissions", async () => {
    await using cache = create("mote:pass%3Aword");
    await record(cache, "a");
    await cache.recordDigestUntransformedPair(digestOf("gzip"), digestOf("plain"));
    await cache.removeKnownLocation("t", "s", digestOf("a"), "here");
    let text = "";
    for await (const line of cache.export()) text += line;
    expect((await cache.merge([text])).facts).toBe(3);
    expect(await cache.expire({ maxFacts: 0 })).toBe(3);
    expect(await cache.statistics()).toMatchObject({ locations: 0, negativeRecords: 0, pairs: 0 });
    await using leases = new RedisFetchLeases(`redis://mote:pass%3Aword@127.0.0.1:${server.port}/0`);
    const lease = await leases.acquire(digestOf("a"), "http://a", { durationMs: 60_000 });
    expect(await leases.renew(lease, { durationMs: 60_000 })).toBe(true);
    await leases.release(lease);
    expect(await leases.secret("0123456789abcdef")).toBe("0123456789abcdef");
  });

  it("throws MOTE_UNAUTHORIZED for a wrong password and MOTE_FORBIDDEN without permissions", async () => {
    await using wrong = create("mote:wrong");
    const error = await errorOf(record(wrong, "a"));
    expect(error.code).toBe("MOTE_UNAUTHORIZED");
    await using locked = create("locked:pass");
    expect((await errorOf(record(locked, "a"))).code).toBe("MOTE_FORBIDDEN");
  });
});

describe.skipIf(skipTls)(`RedisBlobInfoCache over TLS${skipTls}`, () => {
  it("verifies the certificate, and rejects one that is not trusted", async () => {
    const folder = mkdtempSync(join(tmpdir(), "mote-redis-tls-"));
    try {
      const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
      const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"];
      const pair = ["-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, "-days", "2"];
      execFileSync("openssl", ["req", "-x509", ...pair, ...subject], { stdio: "ignore" });
      const tls = { "tls-cert-file": cert, "tls-key-file": key, "tls-ca-cert-file": cert, "tls-auth-clients": "no" };
      await using plain = await startRedisServer();
      await plain.stop();
      await using server = await startRedisServer({ settings: { "tls-port": String(plain.port), ...tls } });
      expect(server.port).not.toBe(plain.port);
      const url = `rediss://localhost:${plain.port}`;
      await using cache = new RedisBlobInfoCache(url, { tls: { ca: readFileSync(cert, "utf8") } });
      await record(cache, "a");
      expect(await locationsOf(cache, "a")).toEqual(["here"]);
      await using other = new RedisBlobInfoCache(url);
      const error = await errorOf(record(other, "a"));
      expect(error.code).toBe("MOTE_UNREACHABLE");
      expect(error.message).toMatch(/certificate/i);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe.skipIf(skip)(`RedisBlobInfoCache in a cluster of two masters${skip}`, () => {
  const servers: RedisServer[] = [];
  let prefixes = 0;
  beforeAll(async () => {
    const settings = { "cluster-enabled": "yes", "cluster-node-timeout": "2000" };
    for (let i = 0; i < 2; i++) servers.push(await startRedisServer({ settings }));
    const [first, second] = servers;
    if (first === undefined || second === undefined) throw new Error("there are no servers");
    await withCommands(first, (redis) => redis.call("CLUSTER", "ADDSLOTSRANGE", "0", "8191"));
    await withCommands(second, (redis) => redis.call("CLUSTER", "ADDSLOTSRANGE", "8192", "16383"));
    await withCommands(second, (redis) => redis.cluster("MEET", "127.0.0.1", first.port));
    for (const server of servers) {
      await withCommands(server, (redis) =>
        vi.waitFor(async () => expect(await redis.cluster("INFO")).toContain("cluster_state:ok"), 30_000),
      );
    }
  });
  afterAll(() => Promise.all(servers.map((server) => server.stop())));

  const url = () => `redis-cluster://${servers.map(({ port }) => `127.0.0.1:${port}`).join(",")}`;
  const nextPrefix = () => `cluster ${prefixes++}`;
  blobInfoCacheSuite({ describe, it, expect }, () => new RedisBlobInfoCache(url(), { prefix: nextPrefix() }));
  fetchLeasesSuite({ describe, it, expect }, () => new RedisFetchLeases(url(), { prefix: nextPrefix() }));
});

describe.skipIf(skip)(`RedisBlobInfoCache over Sentinel${skip}`, () => {
  it("continues with the new master after a failover", async () => {
    await using master = await startRedisServer();
    await using replica = await startRedisServer({ settings: { replicaof: ["127.0.0.1", String(master.port)] } });
    await withCommands(replica, (redis) =>
      expect.poll(() => redis.info("replication")).toContain("master_link_status:up"),
    );
    const folder = mkdtempSync(join(tmpdir(), "mote-sentinel-"));
    const file = join(folder, "sentinel.conf");
    try {
      await using sentinel = await startSentinel(file, master.port);
      const url = `redis-sentinel://127.0.0.1:${sentinel.port}/main`;
      await using cache = new RedisBlobInfoCache(url, { timeoutMs: 1_000 });
      await using leases = new RedisFetchLeases(url, { timeoutMs: 1_000 });
      const long = { durationMs: 600_000 };
      const lease = await leases.acquire(digestOf("a"), "http://a", long);
      await record(cache, "before");
      await withCommands(master, (redis) => redis.wait(1, 5_000));
      await master.stop();
      await expect
        .poll(() =>
          record(cache, "after").then(
            () => "recorded",
            ({ code }) => code,
          ),
        )
        .toBe("recorded");
      // The replica had the lease, too.
      await expect.poll(() => leases.renew(lease, long).catch(() => "failed")).toBe(true);
      expect(await leases.acquire(digestOf("a"), "http://b", long)).toEqual(lease);
      for (const name of ["before", "after"]) expect(await locationsOf(cache, name)).toEqual(["here"]);
      const found = await withCommands(replica, (redis) => redis.info("replication"));
      expect(found).toContain("role:master");
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

async function startSentinel(file: string, masterPort: number): Promise<RedisServer> {
  writeFileSync(
    file,
    [
      `sentinel monitor main 127.0.0.1 ${masterPort} 1`,
      "sentinel down-after-milliseconds main 300",
      "sentinel failover-timeout main 2000",
      "",
    ].join("\n"),
  );
  return startRedisServer({ sentinel: file });
}
