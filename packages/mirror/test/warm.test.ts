import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mediaTypes, NilCache, type UpstreamRepository } from "@mote/core";
import { FileCache } from "@mote/fs";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Mirror } from "../src/index.js";
import { TestUpstream } from "./test-upstream.js";

let root: string;
let upstream: TestUpstream;
let cache: FileCache;
let mirror: Mirror;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "mote-warm-"));
  upstream = new TestUpstream();
  cache = new FileCache(root, { durability: "visible" });
  mirror = new Mirror({ upstreams: [upstream], cache, tags: cache.tags });
});
afterEach(async () => {
  await mirror.close();
  await cache[Symbol.asyncDispose]();
  rmSync(root, { recursive: true });
});

const repository: UpstreamRepository = { upstream: "up.example", path: "org/app", full: "up.example/org/app" };

/** Adds an index of an image for each architecture. */
function addIndex(tag: string, architectures: readonly string[]) {
  const images = architectures.map((architecture) => ({
    architecture,
    ...upstream.addImage(`${tag}-${architecture}`, randomBytes(100_000)),
  }));
  const manifests = images.map(({ manifest, architecture }) => ({
    ...manifest,
    platform: { os: "linux", architecture },
  }));
  const body = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests };
  const index = { ...upstream.addBlob(new TextEncoder().encode(JSON.stringify(body))), mediaType: mediaTypes.ociIndex };
  upstream.tags.set(tag, index);
  return { index, images };
}

it("fetches all platforms of an image, and sets its tag", async () => {
  const { index, images } = addIndex("1", ["amd64", "arm64"]);
  const report = await mirror.warm(repository, "1");
  expect(report.digest).toBe(index.digest);
  expect(report.fetchedBytes).toBe(report.bytes);
  for (const { layer, config, manifest } of images) {
    for (const { digest } of [layer, config, manifest]) expect(await cache.moteExists(digest)).toBe(true);
  }
  await vi.waitUntil(() => cache.tags.resolve("up.example/org/app:1"), { timeout: 30_000 });
  expect(await mirror.warm(repository, "1")).toMatchObject({ bytes: report.bytes, fetchedBytes: 0 });
  expect(upstream.count("blob")).toBe(4);
});

it("fetches only the images for the selected platforms", async () => {
  const { images } = addIndex("1", ["amd64", "arm64"]);
  await mirror.warm(repository, "1", { platforms: ["linux/arm64"] });
  const stored = await Promise.all(images.map(({ layer }) => cache.moteExists(layer.digest)));
  expect(stored).toEqual([false, true]);
  await expect(mirror.warm(repository, "1", { platforms: ["linux/s390x"] })).rejects.toMatchObject({
    code: "MOTE_NO_PLATFORM",
  });
});

it("asks for a tag although the stored answer is fresh", async () => {
  upstream.addImage("1", randomBytes(10));
  await mirror.manifest(repository, "1");
  const { manifest } = upstream.addImage("1", randomBytes(20));
  expect((await mirror.manifest(repository, "1")).descriptor).not.toEqual(manifest);
  expect((await mirror.refresh(repository, "1")).descriptor).toEqual(manifest);
  expect((await mirror.manifest(repository, "1")).descriptor).toEqual(manifest);
});

it("fails if the cache cannot store the image", async () => {
  upstream.addImage("1", randomBytes(10));
  await using other = new Mirror({ upstreams: [upstream], cache: new NilCache(), tags: cache.tags });
  await expect(other.warm(repository, "1")).rejects.toMatchObject({ code: "MOTE_UNWRITABLE" });
});
