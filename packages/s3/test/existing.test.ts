import { type Digest, digestBytes } from "@mote/core";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { FakeS3 } from "./fake-s3.js";

let fake: FakeS3;
beforeEach(async () => {
  fake = await FakeS3.start();
  // A busy machine must not run into the time limit of a page.
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
});
afterEach(async () => {
  vi.useRealTimers();
  await fake[Symbol.asyncDispose]();
});

const digestOf = (name: string) => digestBytes(new TextEncoder().encode(name));
const keyOf = (digest: Digest) => `blobs/${digest.replace(":", "/")}`;
const wantedOf = (count: number) => Array.from({ length: count }, (_, at) => digestOf(`wanted ${at}`));

/** Puts blobs into the bucket without asking for them: each has the bytes of its number. */
function fill(digests: readonly Digest[]): void {
  for (const [at, digest] of digests.entries())
    fake.store.put(keyOf(digest), new Uint8Array((at % 100) + 1), { modifiedMs: Date.now() });
}

const countOf = (kind: "HEAD" | "LIST") =>
  fake.requests.filter(({ method, key, query }) =>
    kind === "HEAD" ? method === "HEAD" : key === "" && query.has("list-type"),
  ).length;

describe("the existence of many blobs", () => {
  // A page has 1,000 objects. The larger the bucket, the fewer of the wanted blobs one answers for.
  it.each([
    { count: 100, others: 0, lists: 1, heads: 0 },
    { count: 100, others: 700, lists: 1, heads: 0 },
    { count: 150, others: 3_000, lists: 5, heads: 50 },
    { count: 40, others: 5_000, lists: 1, heads: 40 },
  ])("is right for $count among $others others, with few requests", async ({ count, others, lists, heads }) => {
    await using cache = fake.cache();
    const wanted = wantedOf(count);
    const stored = wanted.filter((_, at) => at % 3 === 0);
    fill([...stored, ...Array.from({ length: others }, (_, at) => digestOf(`other ${at}`))]);
    const existing = await cache.existing([...wanted, ...wanted.slice(0, 5)]);
    expect(existing).toEqual(new Map(stored.map((digest, at) => [digest, (at % 100) + 1])));
    expect(countOf("LIST")).toBeLessThanOrEqual(lists);
    expect(countOf("HEAD")).toBeLessThanOrEqual(heads);
  });

  it("is looked up one by one if there are few, and needs no request if there are none", async () => {
    await using cache = fake.cache();
    const wanted = wantedOf(20);
    fill(wanted.slice(0, 3));
    expect([...(await cache.existing(wanted)).keys()].sort()).toEqual(wanted.slice(0, 3).sort());
    expect([countOf("LIST"), countOf("HEAD")]).toEqual([0, 20]);
    expect((await cache.existing([])).size).toBe(0);
    expect(countOf("HEAD")).toBe(20);
  });

  it.each([
    { how: "is not allowed", effect: { status: 403, code: "AccessDenied" } as const },
    { how: "is not implemented", effect: { status: 501, code: "NotImplemented" } as const },
    { how: "is a page of a proxy", effect: { status: 200 } as const },
    { how: "does not come", effect: "stall" as const },
  ])("does not depend on a listing, which $how", async ({ effect }) => {
    await using cache = fake.cache();
    const wanted = wantedOf(40);
    fill(wanted.slice(0, 10));
    fake.effect = ({ key, query }) => {
      if (key !== "" || !query.has("list-type")) return undefined;
      if (effect === "stall") vi.advanceTimersByTime(60_000);
      return effect;
    };
    expect((await cache.existing(wanted)).size).toBe(10);
    expect(countOf("HEAD")).toBe(40);
  });

  it("does not believe a listing that is out of order", async () => {
    await using cache = fake.cache();
    const wanted = wantedOf(40);
    fill(wanted);
    const inOrder = fake.store.keys.bind(fake.store);
    fake.store.keys = (prefix, after) => inOrder(prefix, after).reverse().slice(20);
    expect((await cache.existing(wanted)).size).toBe(40);
  });

  it("fails if the service fails, and is aborted with the reason of the signal", async () => {
    await using cache = fake.cache({ retries: { retries: 0 } });
    await cache.initialize();
    fake.effect = () => ({ status: 500 });
    await expect(cache.existing(wantedOf(40))).rejects.toMatchObject({ code: "MOTE_IO" });
    fake.effect = () => "stall";
    const abort = new AbortController();
    const asked = cache.existing(wantedOf(40), { signal: abort.signal });
    abort.abort(new RangeError("enough"));
    await expect(asked).rejects.toThrow("enough");
  });
});
