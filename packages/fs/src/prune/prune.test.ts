import fs, { existsSync, linkSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { digestBytes, MoteError, mediaTypes } from "@mote/core";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { put, putImage } from "../../test/image.js";
import { FileCache } from "../index.js";

const mediaType = "application/octet-stream";
let folder: string;
let root: string;
let cache: FileCache;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "mote-prune-"));
  root = join(folder, "cache");
  cache = new FileCache(root, { durability: "visible" });
});
afterEach(async () => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  await cache[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

const code = (error: unknown) => (MoteError.isInstance(error) ? error.code : String(error));
const below = (path: string) => readdirSync(join(root, path));
const tagFile = () => join(root, ".mote/tags", below(".mote/tags")[0] ?? "");

describe("freed bytes", () => {
  it("are counted once for two names of one file, and not at all for one that has a name outside", async () => {
    const bytes = new Uint8Array(5000).fill(1);
    const twin = digestBytes(bytes, "sha512");
    const first = await put(cache, bytes, mediaType);
    linkSync(cache.moteRef(first.digest), cache.moteRef(twin));
    const outside = await put(cache, new Uint8Array(700).fill(2), mediaType);
    linkSync(cache.moteRef(outside.digest), join(folder, "outside"));
    await put(cache, new Uint8Array(30).fill(3), mediaType);
    for (const dryRun of [true, false]) {
      const report = await cache.prune(0, { dryRun });
      expect([report.removedBytes, report.freedBytes]).toEqual([10_730, 5030]);
    }
  });

  it("of one of two names are none", async () => {
    const bytes = new Uint8Array(5000).fill(1);
    const twin = digestBytes(bytes, "sha512");
    const first = await put(cache, bytes, mediaType);
    linkSync(cache.moteRef(first.digest), cache.moteRef(twin));
    await cache.pinned.pin(twin);
    expect((await cache.prune(0)).freedBytes).toBe(0);
  });

  it("are reported by one of two prunes", async () => {
    for (let n = 0; n < 300; n++) await put(cache, new TextEncoder().encode(`blob ${n}`), mediaType);
    await using other = new FileCache(root, { synchronous: false });
    const reports = await Promise.all([cache.prune(0), other.prune(0)]);
    expect(reports.reduce((sum, { removed }) => sum + removed.length, 0)).toBe(300);
  });
});

describe("a dry run", () => {
  it("makes no folder, and changes nothing", async () => {
    expect((await cache.prune(0, { dryRun: true })).removed).toEqual([]);
    expect(existsSync(root)).toBe(false);
    await putImage(cache, "name", ["a"]);
    const report = await cache.prune(0, { dryRun: true });
    expect([report.reached, report.remainingBytes, report.untagged]).toEqual([true, 0, ["name"]]);
    expect(await cache.tags.resolve("name")).not.toBe(undefined);
    const really = await cache.prune(0);
    expect(really.removed).toEqual(report.removed);
    expect(really.freedBytes).toBe(report.freedBytes);
  });
});

describe("what is unfinished", () => {
  const bytes = new Uint8Array(500_000).fill(9);
  const mote = { digest: digestBytes(bytes), mediaType, size: bytes.byteLength };
  const leavePart = async () => {
    const writer = await cache.resumeMote(mote);
    await writer.write(bytes.subarray(0, 300_000));
    await writer.suspend();
  };
  const offset = async () => {
    const writer = await cache.resumeMote(mote);
    await writer.suspend();
    return writer.offset;
  };

  it("can be resumed after a prune that had to remove blobs", async () => {
    await leavePart();
    await put(cache, new Uint8Array(1_000_000), mediaType);
    expect((await cache.prune(400_000)).reached).toBe(true);
    expect(await offset()).toBe(300_000);
  });

  it("goes when it is older or larger than its bounds", async () => {
    await leavePart();
    await using strict = new FileCache(root, { keepParts: { maxBytes: 200_000 } });
    await strict.prune(1_000_000);
    expect(await offset()).toBe(0);
    await leavePart();
    const soon = Date.now() + 4 * 24 * 3_600_000;
    vi.spyOn(Date, "now").mockReturnValue(soon);
    await cache.prune(1_000_000);
    vi.restoreAllMocks();
    expect(await offset()).toBe(0);
  });
});

it("prune(0) leaves no note of what is gone", async () => {
  await using thorough = new FileCache(root, { chunkDigests: "write" });
  await put(thorough, new Uint8Array(3_000_000), mediaTypes.ociManifest);
  await put(thorough, new Uint8Array(2_500_000), mediaType);
  for (const name of below("blobs/sha256")) rmSync(join(root, "blobs/sha256", name));
  await cache.prune(0);
  expect([...below(".mote/chunks"), ...below(".mote/manifests")]).toEqual([]);
});

it("a clock that jumped back does not make blobs too young for a bound of 0", async () => {
  await put(cache, new Uint8Array(10), mediaType);
  vi.spyOn(Date, "now").mockReturnValue(1000);
  expect((await cache.prune(0, { minAgeMs: 0 })).reached).toBe(true);
});

describe("a damaged tag file", () => {
  it("does not affect other tags, and is reported by a listing", async () => {
    await putImage(cache, "bad", ["a"]);
    writeFileSync(tagFile(), "{");
    const image = await putImage(cache, "good", ["b"]);
    await using next = new FileCache(root);
    await next.initialize();
    await put(next, new Uint8Array(5), mediaType);
    expect((await next.tags.resolve("good"))?.digest).toBe(image.manifest.digest);
    const names: string[] = [];
    const listing = (async () => {
      for await (const { name } of next.tags.list()) names.push(name);
    })();
    expect(await listing.then(() => "none", code)).toBe("MOTE_CORRUPT");
    expect(names).toEqual(["good"]);
    expect((await next.prune(0)).reached).toBe(true);
  });
});

it("a cache whose view could not be written, as the disk is full, can be pruned", async () => {
  await putImage(cache, "name", ["a"]);
  rmSync(join(root, "index.json"));
  await using next = new FileCache(root);
  vi.spyOn(fs, "writeFileSync").mockImplementation(() => {
    throw Object.assign(new Error("ENOSPC"), { code: "ENOSPC" });
  });
  await next.initialize();
  expect((await next.prune(0)).reached).toBe(true);
});

it("a folder with the name of a side file does not stop a prune", async () => {
  await put(cache, new Uint8Array(2_000_000), mediaType);
  mkdirSync(join(root, ".mote/chunks", (await firstName()).replace(":", "-")));
  expect((await cache.prune(0)).reached).toBe(true);
});

async function firstName(): Promise<string> {
  for await (const { digest } of cache.motes()) return digest;
  throw new Error("the cache is empty");
}
