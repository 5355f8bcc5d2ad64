import { type Digest, digestBytes, type MoteCache, mediaTypes, writeMote } from "@mote/core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FakeS3 } from "./fake-s3.js";

let fake: FakeS3;
beforeEach(async () => {
  fake = await FakeS3.start();
});
afterEach(() => fake[Symbol.asyncDispose]());

const encode = (value: unknown) => new TextEncoder().encode(typeof value === "string" ? value : JSON.stringify(value));

async function store(cache: MoteCache, content: unknown, mediaType: string) {
  const bytes = encode(content);
  const mote = { digest: digestBytes(bytes), mediaType, size: bytes.byteLength };
  await writeMote(cache, mote, bytes);
  return mote;
}

/** Stores an image with these layers under a tag. */
async function storeImage(cache: MoteCache, tag: string, layers: readonly string[]) {
  const config = await store(cache, { config: tag }, mediaTypes.ociConfig);
  const stored = [];
  for (const layer of layers) stored.push(await store(cache, layer, "application/vnd.oci.image.layer.v1.tar"));
  const manifest = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: stored };
  const descriptor = await store(cache, manifest, mediaTypes.ociManifest);
  await cache.tags?.tag(tag, descriptor);
  return { descriptor, config, layers: stored };
}

/** Makes all that is stored so far older. */
function age(ms: number): void {
  for (const [key, object] of fake.store.objects)
    fake.store.objects.set(key, { ...object, modifiedMs: object.modifiedMs - ms });
}

const stored = () => fake.store.keys("blobs/", "").map((key) => `sha256:${key.slice(-64)}`);
const names = async (cache: MoteCache) => {
  const found: string[] = [];
  for await (const { name } of cache.tags?.list() ?? []) found.push(name);
  return found;
};
const layer = (text: string) => digestBytes(encode(text));

describe("a prune of unfinished uploads", () => {
  it.each([false, true])("removes those of its own blobs, if the service ignores prefixes: %s", async (ignores) => {
    fake.options = { ignoresUploadPrefixes: ignores };
    await using cache = fake.cache({ abandonedUploadMs: 3_600_000 });
    const key = `blobs/sha256/${"ab".repeat(32)}`;
    for (const each of [key, "other/program", `other/${key}`]) fake.store.startUpload(each, "", Date.now() - 7_200_000);
    fake.store.startUpload(key, "", Date.now());
    await cache.prune(0);
    expect([...fake.store.uploads.values()].map(({ key }) => key)).toEqual(["other/program", `other/${key}`, key]);
  });

  it("needs no permission to list the uploads of others", async () => {
    fake.effect = ({ query }) =>
      query.has("uploads") && query.get("prefix") === "" ? { status: 403, code: "AccessDenied" } : undefined;
    await using cache = fake.cache();
    expect(await cache.prune(0)).toMatchObject({ reached: true });
  });
});

describe("a prune of images", () => {
  it("removes the oldest image with its tags, and keeps what others need", async () => {
    const cache = fake.cache();
    await storeImage(cache, "old:1", ["base", "old"]);
    await cache.tags.tag("old:2", (await cache.tags.resolve("old:1")) as never);
    age(7_200_000);
    await storeImage(cache, "new:1", ["base", "new"]);
    const before = fake.store.keys("blobs/", "").length;
    const dry = await cache.prune(fake.store.bytes - 600, { dryRun: true, minAgeMs: 3_600_000 });
    expect([dry.untagged, stored().length]).toEqual([["old:1", "old:2"], before]);
    const report = await cache.prune(0, { minAgeMs: 3_600_000 });
    expect(report.untagged).toEqual(["old:1", "old:2"]);
    expect(await names(cache)).toEqual(["new:1"]);
    expect(stored()).not.toContain(layer("old"));
    expect(stored()).toEqual(expect.arrayContaining([layer("base"), layer("new")]));
    expect(report.removed.length).toBe(3);
    await cache.prune(0);
    expect([stored(), await names(cache)]).toEqual([[], []]);
  });

  it("removes the tags of an image before its blobs", async () => {
    const cache = fake.cache();
    await storeImage(cache, "a:1", ["one", "two"]);
    fake.requests.length = 0;
    await cache.prune(0);
    const removals = fake.requests.filter(({ method, query }) => method === "DELETE" || query.has("delete"));
    expect(removals[0]?.key).toBe("tags/=a:1!");
    expect(removals[1]?.query.has("delete")).toBe(true);
  });

  it("counts the use of a manifest as the use of its image", async () => {
    const cache = fake.cache({ usePrecisionMs: 60_000 });
    const used = await storeImage(cache, "used:1", ["base", "used"]);
    await storeImage(cache, "unused:1", ["base", "unused"]);
    age(7_200_000);
    await using reader = await cache.moteReader(used.descriptor.digest);
    for await (const _ of reader);
    await cache[Symbol.asyncDispose]();
    const next = fake.cache();
    expect((await next.prune(0, { minAgeMs: 3_600_000 })).untagged).toEqual(["unused:1"]);
    expect(stored()).toEqual(expect.arrayContaining([layer("base"), layer("used")]));
  });

  it("keeps everything below a pinned manifest", async () => {
    const cache = fake.cache();
    const { descriptor } = await storeImage(cache, "a:1", ["one"]);
    const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [descriptor] };
    const root = await store(cache, index, mediaTypes.ociIndex);
    await cache.pinned.pin(root.digest);
    const report = await cache.prune(0);
    expect([report.removed, report.untagged, report.reached]).toEqual([[], [], false]);
    await cache.pinned.unpin(root.digest);
    expect((await cache.prune(0)).reached).toBe(true);
  });

  it("keeps the tag that another client has moved meanwhile", async () => {
    const cache = fake.cache();
    await storeImage(cache, "a:1", ["one"]);
    age(7_200_000);
    let other: { digest: Digest } | undefined;
    fake.effect = ({ method, query }) => {
      if (method === "GET" && query.get("prefix") === "blobs/" && other === undefined) {
        const moved = encode({ name: "a:1", descriptor: { mediaType: "x", digest: layer("other"), size: 5 } });
        fake.store.put("tags/=a:1!", moved, { modifiedMs: Date.now() });
        other = { digest: layer("other") };
      }
      return undefined;
    };
    expect((await cache.prune(0)).untagged).toEqual([]);
    expect((await cache.tags.resolve("a:1"))?.digest).toBe(layer("other"));
  });
});

describe("removeClosure", () => {
  it("removes an image with its tags, and keeps what other images share, or a lease protects", async () => {
    const cache = fake.cache();
    const one = await storeImage(cache, "a:1", ["base", "one", "leased"]);
    await storeImage(cache, "a:2", ["base", "two"]);
    await using _ = await cache.lease([layer("leased")]);
    const report = await cache.removeClosure([one.descriptor.digest]);
    expect(report.untagged).toEqual(["a:1"]);
    expect(report.removed.length).toBe(3);
    expect(report.skipped).toEqual([{ digest: layer("leased"), size: 6, reason: "leased" }]);
    expect(stored()).toEqual(expect.arrayContaining([layer("base"), layer("two"), layer("leased")]));
    expect(stored()).not.toContain(layer("one"));
  });
});

describe("a lease", () => {
  it("that begins while a prune removes waits until the prune has seen it", async () => {
    const cache = fake.cache();
    const other = fake.cache();
    const digests: Digest[] = [];
    for (let at = 0; at < 3; at++) digests.push((await store(cache, `blob ${at}`, "x")).digest);
    let lease: Promise<AsyncDisposable> | undefined;
    // The lease is asked for when the prune is between its look and its removal.
    fake.effect = ({ query }) => {
      if (query.has("delete")) lease ??= other.lease(digests);
      return undefined;
    };
    await cache.prune(0);
    await (await lease)?.[Symbol.asyncDispose]();
    // It was granted only after the removal.
    const order = fake.requests.map(({ method, key, query }) => `${method} ${query.has("delete") ? "delete" : key}`);
    expect(order.lastIndexOf("POST delete")).toBeLessThan(
      order.findLastIndex((each) => each.startsWith("GET ") || each.startsWith("DELETE leases/")),
    );
    expect(fake.store.keys("prunes/", "")).toEqual([]);
    expect(fake.store.keys("leases/", "")).toEqual([]);
  });

  it("lapses if it is not renewed, by the clock of the service", async () => {
    const cache = fake.cache();
    const { digest } = await store(cache, "blob", "x");
    const lease = await cache.lease([digest]);
    expect((await cache.prune(0)).skipped.map(({ reason }) => reason)).toEqual(["leased"]);
    expect(await lease.renew?.()).toBe(true);
    for (const key of fake.store.keys("leases/", "")) {
      const object = fake.store.objects.get(key);
      if (object !== undefined) fake.store.objects.set(key, { ...object, modifiedMs: object.modifiedMs - 3_600_000 });
    }
    expect((await cache.prune(0)).removed.map((mote) => mote.digest)).toEqual([digest]);
    expect(fake.store.keys("leases/", "")).toEqual([]);
    await lease.release();
  });

  it("of a mote keeps removeMote with unlessLeased from removing it", async () => {
    const cache = fake.cache();
    const { digest } = await store(cache, "blob", "x");
    await using lease = await cache.lease([]);
    await lease.add(digest);
    await expect(cache.removeMote(digest, { unlessLeased: true })).rejects.toMatchObject({ code: "MOTE_IN_USE" });
    await lease.release();
    await cache.removeMote(digest, { unlessLeased: true });
    expect(await cache.moteExists(digest)).toBe(false);
  });
});

describe("the use of a blob", () => {
  it("is recorded once in the time of precision, and not by readers that only inspect", async () => {
    const cache = fake.cache({ usePrecisionMs: 3_600_000 });
    const { digest } = await store(cache, "blob", "x");
    const read = async (countsAsUse = true) => {
      await using reader = await cache.moteReader(digest, { countsAsUse });
      for await (const _ of reader);
    };
    await read();
    age(7_200_000);
    await read(false);
    expect(fake.sent("used/")).toEqual([]);
    await read();
    await read();
    await cache[Symbol.asyncDispose]();
    expect(fake.sent("used/").filter((each) => each.startsWith("PUT"))).toEqual([
      `PUT used/sha256/${digest.slice(7)}.used`,
    ]);
    const again = fake.cache({ usePrecisionMs: 3_600_000 });
    await using reader = await again.moteReader(digest);
    for await (const _ of reader);
    await again[Symbol.asyncDispose]();
    expect(fake.sent("used/").filter((each) => each.startsWith("PUT")).length).toBe(1);
  });
});
