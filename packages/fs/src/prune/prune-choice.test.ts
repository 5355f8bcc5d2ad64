import { linkSync, readdirSync, readFileSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  age,
  bytes,
  damage,
  digest,
  failure,
  folder,
  index,
  mediaType,
  open,
  read,
  root,
} from "../../test/cache-setup.js";
import { put, putImage } from "../../test/image.js";

describe("prune", () => {
  it("removes the least recently used image first, and keeps what other images share", async () => {
    await using cache = open();
    const old = await putImage(cache, "old", ["shared", "old-only"]);
    const recent = await putImage(cache, "recent", ["shared", "recent-only"]);
    const [, oldOnly] = old.layers;
    // The age of the tag counts too.
    for (const name of readdirSync(join(root, ".mote/tags"))) {
      const path = join(root, ".mote/tags", name);
      if (readFileSync(path, "utf8").includes('"old"')) utimesSync(path, 1000, 1000);
    }
    age(cache, old.manifest.digest, 5);
    const total = [...new Set([...old.digests, ...recent.digests])];
    let size = 0;
    for (const each of total) size += (await cache.find(each))?.size ?? 0;
    const report = await cache.prune(size - 1);
    expect(report.untagged).toEqual(["old"]);
    expect(await cache.tags.resolve("old")).toBe(undefined);
    expect(await cache.moteExists(old.manifest.digest)).toBe(false);
    expect(await cache.moteExists(oldOnly?.digest ?? digest)).toBe(false);
    for (const each of recent.digests) expect(await cache.moteExists(each)).toBe(true);
    expect(index().manifests.length).toBe(1);
  });

  it("removes untagged images completely, and unreferenced blobs by their age", async () => {
    await using cache = open();
    const image = await putImage(cache, undefined, ["a", "b"]);
    await put(cache, bytes, mediaType);
    age(cache, digest, 3);
    for (const layer of image.layers) age(cache, layer.digest, 10);
    const { removed } = await cache.prune(0, { maxAgeMs: 3_600_000, dryRun: true, minAgeMs: 3_600_000 });
    expect(removed.map((info) => info.digest)).toEqual([digest]);
    age(cache, image.manifest.digest, 20);
    expect((await cache.prune(0, { minAgeMs: 1000 })).removed.length).toBeGreaterThan(2);
  });

  it("removes blobs older than maxAgeMs even below the size", async () => {
    await using cache = open();
    await put(cache, bytes, mediaType);
    const young = await put(cache, new Uint8Array(10), mediaType);
    age(cache, digest, 2);
    const report = await cache.prune(Number.POSITIVE_INFINITY, { maxAgeMs: 3_600_000 });
    expect(report.removed.map((info) => info.digest)).toEqual([digest]);
    expect(await cache.moteExists(young.digest)).toBe(true);
  });

  it("counts only blobs without other links as freed", async () => {
    await using cache = open();
    await put(cache, bytes, mediaType);
    linkSync(cache.moteRef(digest), join(folder, "held"));
    const report = await cache.prune(0);
    expect([report.removedBytes, report.freedBytes]).toEqual([bytes.byteLength, 0]);
  });

  it("keeps everything that a pinned or leased manifest refers to", async () => {
    await using cache = open();
    const pinned = await putImage(cache, "pinned", ["a"]);
    const leased = await putImage(cache, undefined, ["b"]);
    await putImage(cache, "other", ["c"]);
    await cache.pinned.pin(pinned.manifest.digest);
    const lease = await cache.lease([leased.manifest.digest]);
    await cache.prune(0);
    for (const each of [...pinned.digests, ...leased.digests]) expect(await cache.moteExists(each)).toBe(true);
    expect((await cache.tags.resolve("pinned"))?.digest).toBe(pinned.manifest.digest);
    expect(await cache.tags.resolve("other")).toBe(undefined);
    await lease.release();
  });

  it("removes everything at 0, including quarantined blobs", async () => {
    await using cache = open();
    await putImage(cache, "a", ["a"]);
    await put(cache, bytes, mediaType);
    damage(cache, digest);
    await failure(read(cache));
    const report = await cache.prune(0);
    expect([report.reached, report.remainingBytes]).toEqual([true, 0]);
    for (const below of ["blobs/sha256", ".mote/quarantine", ".mote/ingest", ".mote/tags", ".mote/pruning"]) {
      expect(readdirSync(join(root, below))).toEqual([]);
    }
  });

  it("of many blobs does not block the event loop", async () => {
    await using cache = open({ durability: "visible" });
    for (let n = 0; n < 3000; n++) await put(cache, new TextEncoder().encode(`blob ${n}`), mediaType);
    let turns = 0;
    const count = () => {
      turns++;
      if (!done) setImmediate(count);
    };
    let done = false;
    setImmediate(count);
    const report = await cache.prune(0);
    done = true;
    expect(report.removed.length).toBe(3000);
    expect(turns).toBeGreaterThan(2);
  });
});
