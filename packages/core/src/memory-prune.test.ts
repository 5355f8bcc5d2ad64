import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Descriptor } from "./descriptor.js";
import { digestBytes } from "./digest.js";
import { mediaTypes } from "./media-type.js";
import { MemoryCache } from "./memory-cache.js";
import { writeMote } from "./write-mote.js";

let cache: MemoryCache;
beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"], now: 1_000_000 });
  cache = new MemoryCache();
});
afterEach(() => {
  vi.useRealTimers();
});

const text = (content: string) => new TextEncoder().encode(content);
/** Advances the clock, so that what is used next is younger. */
const later = () => vi.setSystemTime(Date.now() + 1_000);

async function put(bytes: Uint8Array, mediaType: string): Promise<Descriptor> {
  const descriptor = { mediaType, digest: digestBytes(bytes), size: bytes.byteLength };
  await writeMote(cache, descriptor, bytes);
  return descriptor;
}

async function putImage(names: readonly string[], layers: readonly string[]) {
  later();
  const config = await put(text(JSON.stringify({ layers, names })), mediaTypes.ociConfig);
  const stored: Descriptor[] = [];
  for (const layer of layers) stored.push(await put(text(layer.repeat(1000)), mediaTypes.ociLayer));
  const body = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: stored };
  const manifest = await put(text(JSON.stringify(body)), mediaTypes.ociManifest);
  for (const name of names) await cache.tags.tag(name, manifest);
  return { manifest, config, layers: stored, digests: [manifest, config, ...stored].map(({ digest }) => digest) };
}

async function tagNames(): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of cache.tags.list()) names.push(name);
  return names;
}

async function sizeOf(): Promise<number> {
  return (await cache.prune(Number.POSITIVE_INFINITY, { dryRun: true })).remainingBytes;
}

describe("prune of a MemoryCache", () => {
  it("removes the least recently used image with all its names, and keeps shared layers", async () => {
    const old = await putImage(["old", "older"], ["a", "shared"]);
    const young = await putImage(["young"], ["b", "shared"]);
    const report = await cache.prune((await sizeOf()) - 1);
    expect([...report.untagged].sort()).toEqual(["old", "older"]);
    expect(await tagNames()).toEqual(["young"]);
    const [, shared] = old.layers;
    for (const digest of old.digests) expect(await cache.moteExists(digest)).toBe(digest === shared?.digest);
    for (const digest of young.digests) expect(await cache.moteExists(digest)).toBe(true);
    expect([report.reached, report.remainingBytes]).toEqual([true, await sizeOf()]);
  });

  it("removes everything and every name at 0", async () => {
    await putImage(["one"], ["a"]);
    await putImage([], ["b"]);
    await put(text("alone"), mediaTypes.octetStream);
    const report = await cache.prune(0);
    expect([report.reached, report.remainingBytes, report.untagged]).toEqual([true, 0, ["one"]]);
    expect(await tagNames()).toEqual([]);
  });

  it("reports names and motes in a dry run, and removes none", async () => {
    await putImage(["one"], ["a"]);
    const size = await sizeOf();
    const report = await cache.prune(0, { dryRun: true });
    expect([report.untagged, report.removed.length, report.dryRun]).toEqual([["one"], 3, true]);
    expect([await tagNames(), await sizeOf()]).toEqual([["one"], size]);
  });

  it("keeps the names of images younger than minAgeMs, and removes those older than maxAgeMs", async () => {
    await putImage(["old"], ["a"]);
    vi.setSystemTime(Date.now() + 60_000);
    await putImage(["young"], ["b"]);
    expect((await cache.prune(0, { minAgeMs: 30_000 })).untagged).toEqual(["old"]);
    expect(await tagNames()).toEqual(["young"]);
    vi.setSystemTime(Date.now() + 60_000);
    expect((await cache.prune(Number.POSITIVE_INFINITY, { maxAgeMs: 30_000 })).untagged).toEqual(["young"]);
  });

  it("counts setting a name as use of its image", async () => {
    const first = await putImage(["first"], ["a"]);
    await putImage(["second"], ["b"]);
    later();
    await cache.tags.tag("first", first.manifest);
    expect((await cache.prune((await sizeOf()) - 1)).untagged).toEqual(["second"]);
  });

  it("removes an unreferenced mote alone, before younger images", async () => {
    later();
    const alone = await put(text("alone"), mediaTypes.octetStream);
    await putImage(["image"], ["a"]);
    const report = await cache.prune((await sizeOf()) - 1);
    expect(report.removed).toEqual([alone]);
    expect(await tagNames()).toEqual(["image"]);
  });
});
