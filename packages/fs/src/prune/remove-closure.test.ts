import { mkdtemp, rm, stat, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { digestBytes, mediaTypes, readMote } from "@mote/core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { put, putImage } from "../../test/image.js";
import { FileCache } from "../index.js";

const json = (body: unknown) => new TextEncoder().encode(JSON.stringify(body));

let root: string;
let cache: FileCache;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "mote-closure-"));
  cache = new FileCache(root);
});

afterEach(async () => {
  await cache[Symbol.asyncDispose]();
  await rm(root, { recursive: true, force: true });
});

async function kept(): Promise<string[]> {
  const digests: string[] = [];
  for await (const { digest } of cache.motes()) digests.push(digest);
  return digests.sort();
}

async function names(): Promise<string[]> {
  const found: string[] = [];
  for await (const { name } of cache.tags.list()) found.push(name);
  return found;
}

async function putIndex(name: string | undefined, images: readonly Awaited<ReturnType<typeof putImage>>[]) {
  const manifests = images.map(({ manifest }) => manifest);
  const index = await put(
    cache,
    json({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests }),
    mediaTypes.ociIndex,
  );
  if (name !== undefined) await cache.tags.tag(name, index);
  return index;
}

describe("removeClosure", () => {
  it("removes an image with all its tags, and keeps what other images share", async () => {
    const gone = await putImage(cache, "gone:1", ["own", "both"]);
    await cache.tags.tag("gone:latest", gone.manifest);
    const stays = await putImage(cache, "stays:1", ["both", "other"]);
    const report = await cache.removeClosure([gone.manifest.digest]);
    expect(await kept()).toEqual([...stays.digests].sort());
    expect(await names()).toEqual(["stays:1"]);
    expect([...report.untagged].sort()).toEqual(["gone:1", "gone:latest"]);
    expect(report).toMatchObject({ reached: true, skipped: [] });
  });

  it("removes an index with its images, except images with their own tag or in another index", async () => {
    const [mine, named, shared] = [
      await putImage(cache, undefined, ["mine"]),
      await putImage(cache, "named:1", ["named"]),
      await putImage(cache, undefined, ["shared"]),
    ];
    const index = await putIndex("multi:1", [mine, named, shared]);
    const other = await putIndex("other:1", [shared]);
    await cache.removeClosure([index.digest]);
    expect(await kept()).toEqual([...named.digests, ...shared.digests, other.digest].sort());
    await cache.removeClosure([other.digest]);
    expect(await kept()).toEqual([...named.digests].sort());
  });

  it("keeps and reports pinned and leased images", async () => {
    const pinned = await putImage(cache, "pinned:1", ["a"]);
    const leased = await putImage(cache, "leased:1", ["b"]);
    await cache.pinned.pin(pinned.manifest.digest);
    await using _lease = await cache.lease(leased.digests);
    const report = await cache.removeClosure([pinned.manifest.digest, leased.manifest.digest]);
    expect(report.removed).toEqual([]);
    expect(report.reached).toBe(false);
    expect(report.skipped.map(({ reason }) => reason).sort()).toEqual(["leased", "pinned"]);
    expect(await kept()).toHaveLength(6);
  });

  it("removes an unreferenced blob, and keeps a referenced one", async () => {
    const image = await putImage(cache, "app:1", ["layer"]);
    const loose = await put(cache, json("loose"), mediaTypes.octetStream);
    await cache.removeClosure([loose.digest, ...image.layers.map(({ digest }) => digest)]);
    expect(await kept()).toEqual([...image.digests].sort());
  });

  it("does not remove ingest files", async () => {
    const bytes = new Uint8Array(1_000_000);
    const mote = await cache.createMote(digestBytes(bytes), mediaTypes.octetStream, bytes.byteLength);
    const writer = await cache.resumeMote(mote);
    await writer.write(bytes.subarray(0, 600_000));
    await writer.suspend();
    const loose = await put(cache, json("loose"), mediaTypes.octetStream);
    await cache.removeClosure([loose.digest]);
    await using again = await cache.resumeMote(mote);
    expect(again.offset).toBe(600_000);
  });
});

it("a pinned manifest protects its layers, even if only an index refers to it", async () => {
  const image = await putImage(cache, undefined, ["layer"]);
  const index = await putIndex("multi:1", [image]);
  // As in a layout of another tool: no note says that this blob is a manifest.
  await rm(join(root, ".mote", "manifests", image.manifest.digest.replace(":", "-")));
  await cache.pinned.pin(image.manifest.digest);
  const report = await cache.prune(0);
  expect(await kept()).toEqual([...image.digests].sort());
  expect(report.removed.map(({ digest }) => digest)).toEqual([index.digest]);
});

describe("motes", () => {
  it("lists media types of manifests, times, and whether a mote is verified", async () => {
    const before = Date.now() - 1000;
    const image = await putImage(cache, "app:1", ["layer"]);
    const layer = image.layers[0]?.digest ?? image.manifest.digest;
    await utimes(cache.moteRef(layer), new Date(86_400_000), new Date(86_400_000));
    const motes = new Map<string, unknown>();
    for await (const mote of cache.motes()) {
      expect(mote.storedMs).toBeGreaterThan(before);
      motes.set(mote.digest, mote);
    }
    expect(motes.get(image.manifest.digest)).toMatchObject({ mediaType: mediaTypes.ociManifest, isVerified: true });
    expect(motes.get(layer)).toMatchObject({
      mediaType: mediaTypes.octetStream,
      usedMs: 86_400_000,
      isVerified: false,
    });
  });

  it("does not renew the last use for a read with countsAsUse: false", async () => {
    for (const size of [100, 1_000_000]) {
      const bytes = new Uint8Array(size).fill(7);
      const { digest } = await put(cache, bytes, mediaTypes.octetStream);
      const path = cache.moteRef(digest);
      const { mtime } = await stat(path);
      await utimes(path, new Date(86_400_000), mtime);
      await readMote(cache, digest, { maxBytes: size, countsAsUse: false });
      expect((await stat(path)).atimeMs).toBe(86_400_000);
      await readMote(cache, digest, { maxBytes: size });
      expect((await stat(path)).atimeMs).toBeGreaterThan(86_400_000);
    }
  });

  it("skips files that are not blobs", async () => {
    const { digest } = await put(cache, json("one"), mediaTypes.octetStream);
    await writeFile(join(root, "blobs", "sha256", "notes.txt"), "mine");
    expect(await kept()).toEqual([digest]);
  });
});
