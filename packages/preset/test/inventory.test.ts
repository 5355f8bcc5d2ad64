import { mkdtemp, rm, stat, truncate, utimes } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Digest, mediaTypes, rootsOf, takeInventory } from "@mote/core";
import { FileCache } from "@mote/fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { measureSpace } from "../src/index.js";
import { put, putImage, putIndex } from "./images.js";

let root: string;
let cache: FileCache;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "mote-inventory-"));
  cache = new FileCache(root);
});

afterEach(async () => {
  await cache[Symbol.asyncDispose]();
  await rm(root, { recursive: true, force: true });
});

describe("takeInventory", () => {
  it("returns the kind of each mote, what refers to it, its names and whether it is pinned", async () => {
    const image = await putImage(cache, ["r.example/app:1", "r.example/app:2"], { a: 10 });
    const artifact = await putImage(cache, [], { b: 20 }, { artifactType: "application/vnd.acme.sbom" });
    const index = await putIndex(cache, [], [image.manifest]);
    const loose = await put(cache, mediaTypes.octetStream, new Uint8Array([1, 2, 3]));
    await cache.pinned.pin(loose.digest);
    const { motes } = await takeInventory(cache);
    const kinds = Object.fromEntries([...motes].map(([digest, { kind }]) => [digest, kind]));
    expect(kinds).toEqual({
      [image.manifest.digest]: "image",
      [image.config.digest]: "config",
      [image.layers[0]?.digest ?? ""]: "layer",
      [artifact.manifest.digest]: "artifact",
      [artifact.config.digest]: "config",
      [artifact.layers[0]?.digest ?? ""]: "layer",
      [index.digest]: "index",
      [loose.digest]: "blob",
    });
    expect(motes.get(image.manifest.digest)).toMatchObject({
      names: ["r.example/app:1", "r.example/app:2"],
      referredBy: [index.digest],
      mediaType: mediaTypes.ociManifest,
      isPinned: false,
    });
    expect(motes.get(image.config.digest)).toMatchObject({
      referredBy: [image.manifest.digest],
      mediaType: mediaTypes.ociConfig,
    });
    expect(motes.get(loose.digest)?.isPinned).toBe(true);
  });

  it("does not count as use of the motes", async () => {
    const { manifest } = await putImage(cache, ["r.example/app:1"], { a: 10 });
    const path = cache.moteRef(manifest.digest);
    await utimes(path, new Date(86_400_000), (await stat(path)).mtime);
    await takeInventory(cache);
    expect((await stat(path)).atimeMs).toBe(86_400_000);
  });

  it("continues after a damaged manifest, and reports it", async () => {
    const bad = await putImage(cache, ["r.example/bad:1"], { a: 10 });
    const good = await putImage(cache, ["r.example/good:1"], { b: 10 });
    await truncate(cache.moteRef(bad.manifest.digest), 5);
    const inventory = await takeInventory(cache);
    expect([...inventory.unreadable]).toEqual([[bad.manifest.digest, "MOTE_CORRUPT"]]);
    expect(inventory.motes.get(good.manifest.digest)?.kind).toBe("image");
    expect(inventory.motes.get(bad.layers[0]?.digest as Digest)?.kind).toBe("blob");
  });
});

describe("rootsOf", () => {
  it("returns tagged and unreferenced motes, with how much of each is stored and missing", async () => {
    const [amd, arm] = [await putImage(cache, [], { a: 100 }), await putImage(cache, [], { b: 200 })];
    const index = await putIndex(cache, ["r.example/app:1"], [amd.manifest, arm.manifest]);
    await cache.removeMote(arm.layers[0]?.digest as Digest);
    const gone = await putImage(cache, ["r.example/gone:1"], { c: 300 });
    await cache.removeMote(gone.manifest.digest);
    const roots = new Map(rootsOf(await takeInventory(cache)).map((one) => [one.digest, one]));
    expect([...roots.keys()].sort()).toEqual([index.digest, gone.manifest.digest].sort());
    const kept = [index, amd.manifest, amd.config, arm.manifest, arm.config].reduce((sum, { size }) => sum + size, 100);
    expect(roots.get(index.digest)).toMatchObject({ names: ["r.example/app:1"], storedBytes: kept, missing: 1 });
    expect(roots.get(gone.manifest.digest)).toMatchObject({ names: ["r.example/gone:1"], storedBytes: 0, missing: 1 });
  });
});

describe("measureSpace", () => {
  it("counts shared content once in the total, and separates it from unshared content", async () => {
    const one = await putImage(cache, ["r.example/lib/app:1", "r.example/lib/app:latest"], { s: 1000, a: 50 });
    const two = await putImage(cache, ["r.example/lib/app:2"], { s: 1000, b: 70 });
    const other = await putImage(cache, ["other.example/app:1"], { s: 1000 });
    const layout = await putImage(cache, ["oci:/srv/layout:1"], { d: 5 });
    await put(cache, mediaTypes.octetStream, new Uint8Array(7));
    const own = ({ manifest, config }: typeof one) => manifest.size + config.size;
    const space = measureSpace(await takeInventory(cache));
    expect(space.bytes).toBe(1000 + 50 + 70 + 5 + 7 + own(one) + own(two) + own(other) + own(layout));
    expect(space.loose).toEqual({ motes: 1, bytes: 7 });
    expect(space.registries.map(({ registry }) => registry)).toEqual(["r.example", "other.example", "oci:"]);
    const [registry] = space.registries;
    const alone = 50 + 70 + own(one) + own(two);
    expect(registry).toMatchObject({ bytes: 1000 + alone, unsharedBytes: alone });
    expect(registry?.repositories).toMatchObject([{ repository: "lib/app", unsharedBytes: alone }]);
    expect(registry?.repositories[0]?.images).toMatchObject([
      { digest: two.manifest.digest, tags: ["2"], bytes: 1070 + own(two), unsharedBytes: 70 + own(two) },
      { digest: one.manifest.digest, tags: ["1", "latest"], bytes: 1050 + own(one), unsharedBytes: 50 + own(one) },
    ]);
  });
});
