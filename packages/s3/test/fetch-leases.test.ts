import { fetchLeasesSuite } from "@mote/conformance";
import { digestBytes, type FetchLease, hasCode, type Logger, silentLogger } from "@mote/core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { S3CacheOptions, S3FetchLeases } from "../src/index.js";
import { FakeS3, type FakeS3Options } from "./fake-s3.js";

const digest = digestBytes(new TextEncoder().encode("a layer"));
const key = `fetches/${digest.replace(":", "/")}.json`;
const [a, b] = ["http://a:1", "http://b:2"];
const long = { durationMs: 60_000 };

const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each[Symbol.asyncDispose]();
});

async function service(options: FakeS3Options = {}): Promise<FakeS3> {
  const fake = await FakeS3.start(options);
  open.push(fake);
  return fake;
}

/** Leases of a member that has used the bucket before. */
async function member(fake: FakeS3, options: Partial<S3CacheOptions> = {}): Promise<S3FetchLeases> {
  const { fetchLeases } = fake.cache(options);
  const other = digestBytes(new TextEncoder().encode("another layer"));
  const first = await fetchLeases.acquire(other, a, long);
  await fetchLeases.renew(first, long);
  await fetchLeases.release(first);
  fake.requests.length = 0;
  return fetchLeases;
}

function elapse(fake: FakeS3, ms: number): void {
  fake.options = { ...fake.options, aheadMs: (fake.options.aheadMs ?? 0) + ms };
}

describe("a service that compares ETags without their quotes", () => {
  let fake: FakeS3;
  let prefixes = 0;
  const prefixOf = new WeakMap<S3FetchLeases, string>();
  const create = (prefix = `test ${prefixes++}`) => {
    const { fetchLeases } = fake.cache({ prefix });
    prefixOf.set(fetchLeases, prefix);
    return fetchLeases;
  };
  beforeAll(async () => {
    fake = await FakeS3.start({ matches: "bare" });
  });
  afterAll(() => fake[Symbol.asyncDispose]());
  fetchLeasesSuite({ describe, it, expect }, () => create(), {
    reopen: (leases) => create(prefixOf.get(leases)),
    elapse: (ms) => elapse(fake, ms),
  });
});

describe("S3FetchLeases", () => {
  it("needs one request each to take, to renew and to release a lease, and two to learn that another holds it", async () => {
    const fake = await service();
    const [one, other] = [await member(fake), await member(fake)];
    const lease = await one.acquire(digest, a, long);
    await one.renew(lease, { ...long, isStored: true });
    expect(fake.sent()).toEqual([`PUT ${key}`, `PUT ${key}`]);
    for (const _ of [1, 2]) expect((await other.acquire(digest, b, long)).holder).toBe(a);
    expect(fake.sent().slice(2)).toEqual([`PUT ${key}`, `GET ${key}`, `GET ${key}`]);
    await one.release(lease);
    expect(fake.sent().slice(5)).toEqual([`PUT ${key}`]);
  });

  it("has no doubt if a response is lost", async () => {
    const fake = await service();
    const [one, other] = [await member(fake), await member(fake)];
    const losing = async <Result>(work: () => Promise<Result>) => {
      let left = 1;
      fake.effect = ({ method }) => (method === "PUT" && left-- > 0 ? "lose" : undefined);
      return await work();
    };
    const lease = await losing(() => one.acquire(digest, a, long));
    expect(lease.holder).toBe(a);
    expect(await losing(() => one.renew(lease, { ...long, isStored: true }))).toBe(true);
    const second = await losing(() => other.acquire(digest, b, { ...long, replaces: lease.token }));
    expect(second.holder).toBe(b);
    expect(await losing(() => one.renew(lease, long))).toBe(false);
    await losing(() => other.release(second));
    expect((await one.acquire(digest, a, long)).token).toBeGreaterThan(second.token);
  });

  it("measures by the clock of the service", async () => {
    for (const aheadMs of [600_000, -600_000]) {
      const fake = await service({ aheadMs });
      const [one, other] = [await member(fake), await member(fake)];
      await one.acquire(digest, a, long);
      expect((await other.acquire(digest, b, long)).holder).toBe(a);
      elapse(fake, 62_000);
      expect((await other.acquire(digest, b, long)).holder).toBe(b);
      // A lease from the far future would never lapse.
      elapse(fake, -120_000);
      expect((await one.acquire(digest, a, long)).holder).toBe(a);
    }
  });

  it("treats a damaged or hostile object as no lease", async () => {
    const fake = await service();
    const leases = await member(fake);
    const valid = { digest, holder: b, token: 7, durationMs: 60_000, isStored: false };
    const other = digestBytes(new Uint8Array());
    for (const change of [
      { digest: other },
      { holder: "file:///etc/passwd" },
      { holder: `http://${"x".repeat(3_000)}` },
      { holder: "http://user:password@b" },
      { holder: 1 },
      { durationMs: -1 },
      { durationMs: 1e300 },
      { durationMs: "60000" },
      { isStored: "no" },
      { token: 0 },
      { token: Number.MAX_SAFE_INTEGER },
      { token: 1e300 },
    ]) {
      const bytes = new TextEncoder().encode(JSON.stringify({ ...valid, ...change }));
      fake.store.put(key, bytes, { modifiedMs: Date.now() });
      const lease = await leases.acquire(digest, a, long);
      expect([change, lease.holder]).toEqual([change, a]);
      expect(await leases.renew(lease, long)).toBe(true);
    }
    fake.store.put(key, new TextEncoder().encode(JSON.stringify(valid)), { modifiedMs: Date.now() });
    expect(await leases.acquire(digest, a, long)).toEqual({ digest, holder: b, token: 7, isStored: false });
  });

  it.each<[string, FakeS3Options]>([
    ["ignores conditions", { conditions: "ignored" }],
    ["rejects conditions", { conditions: "rejected" }],
    ["knows only If-None-Match", { matches: "ignored" }],
    ["never finds an ETag equal", { matches: "never" }],
  ])("works with a service that %s, and warns once", async (_, options) => {
    const fake = await service(options);
    const warnings: string[] = [];
    const logger: Logger = { ...silentLogger, warn: (message) => void warnings.push(message) };
    const [one, other] = [fake.cache({ logger }).fetchLeases, fake.cache().fetchLeases];
    const lease = await one.acquire(digest, a, long);
    expect(await other.acquire(digest, b, long)).toEqual(lease);
    expect(await one.renew(lease, { ...long, isStored: true })).toBe(true);
    const second = await other.acquire(digest, b, { ...long, replaces: lease.token });
    expect([second.holder, second.token > lease.token]).toEqual([b, true]);
    expect(await one.renew(lease, long)).toBe(false);
    await one.release(lease);
    expect(await one.acquire(digest, a, long)).toEqual(second);
    await other.release(second);
    expect((await one.acquire(digest, a, long)).holder).toBe(a);
    const secret = await one.secret("0123456789abcdef");
    expect(await other.secret("another secret".padEnd(16, "-").replaceAll(" ", "-"))).toBe(secret);
    expect(warnings.length).toBe(1);
  });

  it("lets members of a service without conditions agree soon, though several may believe to hold a lease at first", async () => {
    const fake = await service({ conditions: "ignored" });
    const members = await Promise.all(Array.from({ length: 5 }, () => member(fake)));
    const holders = members.map((_, at) => `http://m${at}`);
    const got = await Promise.all(members.map((leases, at) => leases.acquire(digest, holders[at] ?? "", long)));
    for (const { holder } of got) expect(holders).toContain(holder);
    const now = await Promise.all(members.map((leases) => leases.acquire(digest, "http://late", long)));
    expect(new Set(now.map(({ holder }) => holder)).size).toBe(1);
    const kept = await Promise.all(got.map((lease, at) => members[at]?.renew(lease, long)));
    expect(got.every((lease, at) => kept[at] === (lease.holder === now[0]?.holder))).toBe(true);
  });

  it("rejects with a code if the service is not reachable or cannot be written", async () => {
    const gone = await FakeS3.start();
    const { fetchLeases } = gone.cache({ retries: { retries: 0 } });
    await gone[Symbol.asyncDispose]();
    const isCoded = (error: unknown) => hasCode(error, "MOTE_UNREACHABLE", "MOTE_UNWRITABLE");
    const lease: FetchLease = { digest, holder: a, token: 1, isStored: false };
    const calls = (leases: S3FetchLeases) => [
      leases.acquire(digest, a, long),
      leases.renew(lease, long),
      leases.release(lease),
      leases.secret("0123456789abcdef"),
    ];
    for (const call of calls(fetchLeases)) expect(await call.catch(isCoded)).toBe(true);
    const readOnly = await service({ readOnly: true });
    for (const call of calls(readOnly.cache().fetchLeases)) expect(await call.catch(isCoded)).toBe(true);
  });

  it("leaves lapsed and released leases until a prune, which keeps the secret and leases that are held", async () => {
    const fake = await service();
    const cache = fake.cache();
    const held = digestBytes(new TextEncoder().encode("held"));
    await cache.fetchLeases.release(await cache.fetchLeases.acquire(digest, a, long));
    await cache.fetchLeases.secret("0123456789abcdef");
    await cache.prune(0);
    expect(fake.store.objects.has(key)).toBe(true);
    // The clocks of a client and of the service may differ by 15 minutes.
    for (const [name, object] of fake.store.objects)
      fake.store.objects.set(name, { ...object, modifiedMs: object.modifiedMs - 3 * 24 * 3_600_000 });
    await cache.fetchLeases.acquire(held, a, long);
    await cache.prune(0, { dryRun: true });
    expect(fake.store.objects.has(key)).toBe(true);
    await cache.prune(0);
    const left = [...fake.store.objects.keys()].filter((each) => each.startsWith("fetches/"));
    expect(left.sort()).toEqual(["fetches/secret.json", `fetches/${held.replace(":", "/")}.json`]);
    expect((await cache.fetchLeases.acquire(digest, b, long)).holder).toBe(b);
  });
});
