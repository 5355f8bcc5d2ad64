import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Descriptor, type Digest, MoteError, mediaTypes } from "@mote/core";
import { FileCache } from "@mote/fs";
import { LayoutDestination, LayoutSource } from "@mote/layout";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { transfer } from "../src/index.js";
import { MemoryDestination, MemorySource } from "./memory-endpoints.js";
import { addImage, addIndex, someBytes } from "./memory-images.js";

let dir: string;
let cache: FileCache;
let source: MemorySource;

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), "mote-transfer-"));
  cache = new FileCache(join(dir, "cache"));
  await cache.initialize();
  source = new MemorySource();
});

afterEach(async () => {
  await cache[Symbol.asyncDispose]();
  rmSync(dir, { recursive: true, force: true });
});

const blobFile = (layout: string, digest: Digest) => join(dir, layout, "blobs", digest.replace(":", "/"));

describe("with the file cache and layouts, a transfer", () => {
  it("fetches into an empty cache, links from a filled one, and copies between layouts", async () => {
    const image = addImage(source, "v1", [300_000, 5, 0]);
    source.tags.set("all", addIndex(source, [image.root]));
    await using first = new LayoutDestination(join(dir, "first"));
    const cold = await transfer({ source, destination: first, cache, refs: ["v1", "all"] });
    expect(cold).toMatchObject({ linked: { count: 4 }, copied: { count: 0 }, warnings: [] });

    source.asked.length = 0;
    await using second = new LayoutDestination(join(dir, "second"));
    const warm = await transfer({ source, destination: second, cache, refs: ["v1"] });
    expect(source.asked).toEqual([]);
    expect(warm).toMatchObject({ hit: { count: 4 }, linked: { count: 4 }, manifests: { fetched: 0 } });

    await using other = new FileCache(join(dir, "other-cache"));
    await other.initialize();
    await using third = new LayoutDestination(join(dir, "third"));
    const refs = ["v1", "all"];
    await transfer({ source: new LayoutSource(join(dir, "first")), destination: third, cache: other, refs });
    for (const ref of refs) {
      const descriptor = await new LayoutSource(join(dir, "third")).resolve(ref);
      expect(descriptor).toEqual(source.tags.get(ref));
    }
    expect(statSync(blobFile("third", image.root.digest)).size).toBe(image.root.size);
  });

  it("moves signatures on request, also from a layout", async () => {
    const image = addImage(source, "v1", [1000]);
    const payload = source.addJson({ signed: image.root.digest }, "application/vnd.example.signature");
    const config = source.addJson({}, mediaTypes.ociEmpty);
    const sign = (subject: Descriptor) => {
      const mediaType = mediaTypes.ociManifest;
      const body = {
        schemaVersion: 2,
        mediaType,
        artifactType: "application/vnd.example",
        config,
        layers: [payload],
        subject,
      };
      return source.addJson(body, mediaType, { artifactType: "application/vnd.example" });
    };
    const signature = sign(image.root);
    const countersignature = sign(signature);
    source.referrers = async function* ({ digest }) {
      if (digest === image.root.digest) yield signature;
      if (digest === signature.digest) yield countersignature;
    };
    await using without = new LayoutDestination(join(dir, "without"));
    await transfer({ source, destination: without, cache, refs: ["v1"] });
    expect(await without.has(signature)).toBe(false);

    await using first = new LayoutDestination(join(dir, "first"));
    await transfer({ source, destination: first, cache, refs: ["v1"], referrers: true });
    await using second = new LayoutDestination(join(dir, "second"));
    const layout = new LayoutSource(join(dir, "first"));
    const report = await transfer({ source: layout, destination: second, cache, refs: ["v1"], referrers: true });
    expect(report.manifests.count).toBe(3);
    for (const one of [signature, countersignature, payload]) expect(await second.has(one)).toBe(true);
    const found: Descriptor[] = [];
    for await (const one of new LayoutSource(join(dir, "second")).referrers(image.root)) found.push(one);
    expect(found).toEqual([signature]);
    expect((await new LayoutSource(join(dir, "second")).resolve("v1")).digest).toBe(image.root.digest);
  });

  it("stores nothing of a blob with a wrong digest in the cache or the layout", async () => {
    const image = addImage(source, "v1", [300_000]);
    const [layer] = image.layers;
    if (layer === undefined) throw new Error("no layer");
    source.replacements.set(layer.digest, (bytes) => bytes.map((byte, at) => (at === 299_999 ? byte ^ 1 : byte)));
    {
      await using destination = new LayoutDestination(join(dir, "layout"));
      const failure = await transfer({ source, destination, cache, refs: ["v1"], concurrency: 1 }).catch(
        (e: unknown) => e,
      );
      expect(failure).toMatchObject({ code: "MOTE_DIGEST_MISMATCH" });
    }
    expect(await cache.moteExists(layer.digest)).toBe(false);
    expect(readdirSync(dir)).toEqual(["cache"]);
  });

  it("fetches damaged blobs again and does not link them", async () => {
    const image = addImage(source, "v1", [300_000]);
    const [layer] = image.layers;
    if (layer === undefined) throw new Error("no layer");
    await transfer({ source, cache, refs: ["v1"], tags: ["example.org/app:v1"] });
    for (const damaged of [someBytes(300_000, 77), someBytes(1000, 77)]) {
      rmSync(blobFile("cache", layer.digest));
      writeFileSync(blobFile("cache", layer.digest), damaged);
      const layout = join(dir, `layout-${damaged.byteLength}`);
      await using destination = new LayoutDestination(layout);
      const report = await transfer({ source, destination, cache, refs: ["v1"] });
      expect(report.fetched.count).toBe(1);
      const reader = await new LayoutSource(layout).blob(layer);
      let bytes = 0;
      for await (const chunk of reader) bytes += chunk.byteLength;
      expect(bytes).toBe(300_000);
    }
  });

  it("into the cache fetches only damaged blobs again, even if a folder has the name of a blob", async () => {
    const image = addImage(source, "v1", [300_000, 1000]);
    const refs = ["v1"];
    await transfer({ source, cache, refs });
    for (const { digest, size } of image.layers) {
      const file = blobFile("cache", digest);
      for (const damage of [
        () => writeFileSync(file, someBytes(size, 77)),
        () => writeFileSync(file, someBytes(10, 77)),
        () => mkdirSync(join(file, "in the way"), { recursive: true }),
        () => {},
      ]) {
        rmSync(file, { recursive: true });
        damage();
        source.asked.length = 0;
        const report = await transfer({ source, cache, refs });
        expect([report.fetched.count, report.hit.count]).toEqual([1, 2]);
        expect(await cache.verifyMote(digest)).toBe(true);
      }
    }
    expect((await cache.verify()).damaged).toEqual([]);
    expect((await transfer({ source, cache, refs })).hit.count).toBe(3);
  });

  it("bypasses a cache that cannot be written", async () => {
    const image = addImage(source, "v1", [300_000]);
    await using broken = new FileCache(join(dir, "broken"));
    await broken.initialize();
    rmSync(join(dir, "broken"), { recursive: true });
    writeFileSync(join(dir, "broken"), "in the way");
    await using destination = new LayoutDestination(join(dir, "layout"));
    const report = await transfer({ source, destination, cache: broken, refs: ["v1"] });
    expect(report.warnings.length).toBeGreaterThan(0);
    expect((await new LayoutSource(join(dir, "layout")).resolve("v1")).digest).toBe(image.root.digest);
    await expect(transfer({ source, cache: broken, refs: ["v1"] })).rejects.toSatisfy(MoteError.isInstance);
  });

  it.skipIf(!("resumeMote" in FileCache.prototype))(
    "keeps the received bytes after an interruption and continues there",
    async () => {
      const image = addImage(source, "v1", [300_000]);
      const [layer] = image.layers;
      if (layer === undefined) throw new Error("no layer");
      source.breaks.set(layer.digest, { after: 200_000, error: new MoteError("MOTE_UNREACHABLE", "connection reset") });
      await expect(transfer({ source, cache, refs: ["v1"] })).rejects.toMatchObject({ code: "MOTE_UNREACHABLE" });
      source.breaks.clear();
      const report = await transfer({ source, cache, refs: ["v1"] });
      expect(source.asked.filter(({ digest }) => digest === layer.digest).map(({ start }) => start)).toEqual([
        0, 200_000,
      ]);
      expect(await cache.moteExists(layer.digest)).toBe(true);
      expect(report.fetched.bytes).toBeLessThan(150_000);
    },
  );
});

describe("two caches in one folder, as in two processes,", () => {
  it("fetch each blob once", async () => {
    const image = addImage(source, "v1", [300_000, 50_000, 7]);
    await using other = new FileCache(join(dir, "cache"));
    await other.initialize();
    const [first, second] = [new MemoryDestination(), new MemoryDestination()];
    const reports = await Promise.all([
      transfer({ source, destination: first, cache, refs: ["v1"] }),
      transfer({ source, destination: second, cache: other, refs: ["v1"] }),
    ]);
    for (const { digest } of [image.config, ...image.layers]) {
      expect(source.timesAsked(digest)).toBe(1);
      for (const one of [first, second]) expect(one.contents.get(digest)?.byteLength).toBeDefined();
    }
    expect(reports.map(({ fetched, hit }) => fetched.count + hit.count)).toEqual([4, 4]);
    expect(await second.isWhole()).toBe(true);
  });

  it("continue each other's aborted fetch at the same byte", async () => {
    const image = addImage(source, "v1", [300_000]);
    const [layer] = image.layers;
    if (layer === undefined) throw new Error("no layer");
    await using other = new FileCache(join(dir, "cache"));
    await other.initialize();
    let halfway = () => {};
    const reached = new Promise<void>((resolve) => {
      halfway = resolve;
    });
    let isHeld = true;
    source.gate = async (digest, at) => {
      if (digest !== layer.digest || at < 150_000 || !isHeld) return;
      halfway();
      await new Promise(() => {});
    };
    const controller = new AbortController();
    const reason = new Error("aborted");
    const first = transfer({ source, cache, refs: ["v1"], signal: controller.signal }).catch((error: unknown) => error);
    await reached;
    const followed = new Promise<void>((resolve) => {
      const follow = other.followMote.bind(other);
      other.followMote = (...args) => {
        resolve();
        return follow(...args);
      };
    });
    const second = transfer({ source, cache: other, refs: ["v1"] });
    await followed;
    isHeld = false;
    controller.abort(reason);
    expect(await first).toBe(reason);
    await second;
    const starts = source.asked.filter(({ digest }) => digest === layer.digest).map(({ start }) => start);
    expect(starts).toEqual([0, 150_000]);
    expect(await cache.moteExists(layer.digest)).toBe(true);
  });
});
