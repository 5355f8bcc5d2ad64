import { mkdtempSync, readdirSync, rmSync, statSync, utimesSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Descriptor } from "@mote/core";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { put, putImage } from "../../test/image.js";
import { FileCache } from "../index.js";

const mediaType = "application/octet-stream";
const day = 86_400_000;
const in2040 = Date.UTC(2040, 0) / 1000;
let folder: string;
let root: string;
let cache: FileCache;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "mote-times-"));
  root = join(folder, "cache");
  cache = new FileCache(root, { durability: "visible" });
});
afterEach(async () => {
  vi.restoreAllMocks();
  await cache[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

const stats = ({ digest }: Descriptor) => statSync(cache.moteRef(digest));
const use = (mote: Descriptor, seconds: number) =>
  utimesSync(cache.moteRef(mote.digest), seconds, stats(mote).mtimeMs / 1000);
const tagFiles = () =>
  readdirSync(join(root, ".mote/tags")).flatMap((name) =>
    name.endsWith(".json") ? [join(root, ".mote/tags", name)] : [],
  );
const putBlob = (n: number) => put(cache, new Uint8Array(1000 + n), mediaType);

describe("a last use in the future", () => {
  it("is set to now by the next prune, and the blob stays verified", async () => {
    const [ahead, other] = [await putBlob(0), await putBlob(1)];
    use(ahead, in2040);
    await cache.prune(1e6);
    expect(Math.abs(stats(ahead).atimeMs - Date.now())).toBeLessThan(day);
    let verified = 0;
    for await (const { isVerified } of cache.motes()) if (isVerified) verified++;
    expect(verified).toBe(2);
    use(other, Date.now() / 1000 + 10);
    const later = Date.now() + 31 * day;
    vi.spyOn(Date, "now").mockReturnValue(later);
    expect((await cache.prune(1e6, { maxAgeMs: 30 * day })).removed.length).toBe(2);
  });

  it("does not protect a blob for ever, whether one or all blobs have one", async () => {
    const blobs = [await putBlob(0), await putBlob(1), await putBlob(2)];
    for (const blob of blobs) use(blob, in2040);
    await cache.prune(1e6);
    for (const blob of blobs) expect(stats(blob).atimeMs).toBeLessThan(Date.now() + day);
  });

  it("counts as now in a dry run and in a listing", async () => {
    use(await putBlob(0), in2040);
    for await (const { usedMs } of cache.motes()) expect(usedMs).toBeLessThan(Date.now() + day);
    expect((await cache.prune(1e6, { minAgeMs: day, maxAgeMs: 1, dryRun: true })).removed).toEqual([]);
  });

  it("of a tag or a manifest protects an image no longer than a use now", async () => {
    const image = await putImage(cache, "name", ["a"]);
    for (const digest of image.digests) use({ digest, mediaType, size: 0 }, in2040);
    for (const path of tagFiles()) utimesSync(path, in2040, in2040);
    await cache.prune(1e6);
    for (const path of tagFiles()) expect(statSync(path).mtimeMs).toBeLessThan(Date.now() + day);
    const later = Date.now() + 31 * day;
    vi.spyOn(Date, "now").mockReturnValue(later);
    expect((await cache.prune(1e6, { maxAgeMs: 30 * day })).untagged).toEqual(["name"]);
  });
});

it("a clock that is behind does not reduce a later last use", async () => {
  const blobs = [await putBlob(0), await putBlob(1)];
  const before = blobs.map((blob) => stats(blob).atimeMs);
  vi.spyOn(Date, "now").mockReturnValue(Date.UTC(2020, 0));
  await cache.prune(1e6);
  expect(blobs.map((blob) => stats(blob).atimeMs)).toEqual(before);
});
