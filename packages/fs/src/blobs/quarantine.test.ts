import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { digestBytes } from "@mote/core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { put } from "../../test/image.js";
import { FileCache } from "../index.js";

const mediaType = "application/octet-stream";
const contents = [1, 2, 3].map((fill) => new Uint8Array(10_000).fill(fill));
let folder: string;
let cache: FileCache;
const quarantined = () => fs.readdirSync(join(folder, "cache/.mote/quarantine")).length;

beforeEach(async () => {
  folder = fs.mkdtempSync(join(tmpdir(), "mote-quarantine-"));
  cache = new FileCache(join(folder, "cache"), { durability: "visible" });
  for (const bytes of contents) await put(cache, bytes, mediaType);
  const path = cache.moteRef(digestBytes(contents[0] ?? new Uint8Array()));
  fs.chmodSync(path, 0o644);
  fs.appendFileSync(path, "rot");
  await cache.verify();
});
afterEach(async () => {
  await cache[Symbol.asyncDispose]();
  fs.rmSync(folder, { recursive: true });
});

describe("quarantined blobs", () => {
  it("are counted", async () => {
    expect(await cache.quarantined()).toEqual({ files: 1, bytes: 10_003 });
  });

  it("are removed first by a prune, and count towards its size", async () => {
    const planned = await cache.prune(20_000, { dryRun: true });
    expect(planned).toMatchObject({ removed: [], quarantined: { files: 1, bytes: 10_003 }, reached: true });
    expect(quarantined()).toBe(1);
    const report = await cache.prune(20_000);
    expect(report).toMatchObject({
      removed: [],
      quarantined: { files: 1, bytes: 10_003 },
      freedBytes: 10_003,
      remainingBytes: 20_000,
      reached: true,
    });
    expect([quarantined(), await cache.quarantined()]).toEqual([0, { files: 0, bytes: 0 }]);
    expect(await cache.prune(20_000)).not.toHaveProperty("quarantined");
  });

  it("are not removed before their minimum age, and then leave less space for blobs", async () => {
    const report = await cache.prune(35_000, { minAgeMs: 3_600_000 });
    expect(report).toMatchObject({ removed: [], remainingBytes: 30_003, reached: true });
    expect(quarantined()).toBe(1);
    const tight = await cache.prune(20_000, { minAgeMs: 3_600_000 });
    expect(tight).toMatchObject({ removed: [], remainingBytes: 30_003, reached: false });
  });

  it("are not affected when single blobs are removed", async () => {
    await cache.removeClosure([digestBytes(contents[1] ?? new Uint8Array())]);
    expect(quarantined()).toBe(1);
  });
});
