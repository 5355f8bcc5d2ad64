import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MemoryBlobInfoCache } from "@mote/bic-memory";
import { type Descriptor, LayerLocator, MoteError, NilCache, type Ref, type RegistryRef } from "@mote/core";
import { FileCache } from "@mote/fs";
import { refCodec } from "@mote/ref";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { transfer } from "../src/index.js";
import { MemoryDestination, MemorySource } from "./memory-endpoints.js";
import { addImage, someBytes } from "./memory-images.js";

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

describe("with a blob-info cache, a transfer", () => {
  const place = (registry: string, repository: string): RegistryRef => ({ transport: "docker", registry, repository });

  it("records the locations of verified blobs at source and destination, but not of failed ones", async () => {
    const bic = new MemoryBlobInfoCache();
    const locator = new LayerLocator(bic, refCodec);
    source.ref = place("one.example", "app");
    const destination = new MemoryDestination();
    destination.ref = place("two.example", "copy");
    const image = addImage(source, "v1", [3000, 10]);
    const [good, bad] = image.layers;
    if (good === undefined || bad === undefined) throw new Error("no layers");
    source.replacements.set(bad.digest, () => someBytes(10, 99));
    await expect(
      transfer({ source, destination, cache, bic, refCodec, refs: ["v1"], concurrency: 1 }),
    ).rejects.toThrow();
    const locate = async (layer: Descriptor, at: RegistryRef) =>
      (await locator.locateLayer(layer, at, { matchRegistry: true })).map((ref) => refCodec.format(ref));
    expect(await locate(good, place("one.example", "x"))).toEqual(["one.example/app:v1"]);
    expect(await locate(good, place("two.example", "x"))).toEqual(["two.example/copy:v1"]);
    expect(await locate(bad, place("one.example", "x"))).toEqual([]);
    expect(await locate(bad, place("two.example", "x"))).toEqual([]);
  });

  it("opens it while the source has not responded", async () => {
    const bic = new MemoryBlobInfoCache();
    const opened = new Promise<void>((resolve) => {
      bic.open = () => {
        resolve();
        return Promise.reject(new MoteError("MOTE_IO", "broken"));
      };
    });
    source.ref = place("one.example", "app");
    addImage(source, "v1", [3000]);
    const read = source.blob.bind(source);
    source.blob = async (...wanted) => {
      await opened;
      return read(...wanted);
    };
    const report = await transfer({ source, cache, bic, refCodec, refs: ["v1"] });
    expect(report.fetched.count).toBe(2);
  });

  it("neither opens it nor records anything if all blobs are linked from the cache", async () => {
    const recorded: string[] = [];
    const bic = new MemoryBlobInfoCache();
    const record = bic.recordKnownLocation.bind(bic);
    bic.recordKnownLocation = (...known) => {
      recorded.push(known[2]);
      return record(...known);
    };
    source.ref = place("one.example", "app");
    const image = addImage(source, "v1", [3000]);
    const linking = async (name: string) => {
      const destination = new MemoryDestination();
      destination.ref = { transport: "oci", path: join(dir, name) };
      const linkable = ({ digest }: Descriptor) => join(dir, `${name}-${digest}`);
      const report = await transfer({
        ...{ source, cache, bic, refCodec, refs: ["v1"] },
        destination: Object.assign(destination, { linkable }),
      });
      return report.linked.count;
    };
    expect(await linking("first")).toBe(image.layers.length + 1);
    expect(recorded.length).toBeGreaterThan(0);
    recorded.length = 0;
    bic.open = async () => {
      recorded.push("opened");
    };
    expect(await linking("second")).toBe(image.layers.length + 1);
    await new Promise((resolve) => setImmediate(resolve));
    expect(recorded).toEqual([]);
  });

  it("offers the destination at most five mount candidates on its registry, the source first", async () => {
    const bic = new MemoryBlobInfoCache();
    const locator = new LayerLocator(bic, refCodec);
    const image = addImage(source, "v1", [3000]);
    const [layer] = image.layers;
    if (layer === undefined) throw new Error("no layer");
    for (const name of ["a", "b", "c", "d", "e", "f"]) {
      await locator.recordLayerSource(layer, place("one.example", name));
      await locator.recordLayerSource(layer, place("elsewhere.example", name));
    }
    source.ref = place("one.example", "app");
    const offered: string[][] = [];
    const destination = Object.assign(new MemoryDestination(), {
      mount: async (descriptor: Descriptor, candidates: readonly RegistryRef[]) => {
        if (descriptor.digest === layer.digest) offered.push(candidates.map(({ repository }) => repository));
        return descriptor.digest === layer.digest;
      },
    });
    destination.ref = place("one.example", "copy");
    const report = await transfer({ source, destination, cache, bic, refCodec, refs: ["v1"] });
    expect(offered).toEqual([["app", "f", "e", "d", "c"]]);
    expect(report).toMatchObject({ mounted: { count: 1 }, fetched: { count: 1 } });
    expect(source.timesAsked(layer.digest)).toBe(0);
  });

  it("continues if the blob-info cache fails", async () => {
    addImage(source, "v1", [3000]);
    source.ref = place("one.example", "app");
    const bic = new MemoryBlobInfoCache();
    bic.recordKnownLocation = () => Promise.reject(new MoteError("MOTE_IO", "broken"));
    bic.candidateLocations = () => Promise.reject(new MoteError("MOTE_IO", "broken"));
    const destination = Object.assign(new MemoryDestination(), { mount: async () => false });
    destination.ref = place("two.example", "copy");
    const report = await transfer({ source, destination, cache, bic, refCodec, refs: ["v1"] });
    expect(report.copied.count).toBe(2);
  });

  /** Creates an image with a layer that is also at a fallback. */
  function mirroredImage() {
    const bic = new MemoryBlobInfoCache();
    const [layer] = addImage(source, "v1", [5000]).layers;
    if (layer === undefined) throw new Error("no layer");
    const mirror = new MemorySource();
    addImage(mirror, "v1", [5000]);
    source.ref = place("one.example", "app");
    return { bic, layer, mirror, locator: new LayerLocator(bic, refCodec) };
  }

  it("continues a blob from a fallback at the byte where the source failed", async () => {
    const { bic, layer, mirror, locator } = mirroredImage();
    await locator.recordLayerSource(layer, place("two.example", "mirror"));
    await locator.recordLayerSource(layer, place("closed.example", "mirror"));
    await locator.recordLayerSource(layer, place("one.example", "app"));
    source.breaks.set(layer.digest, { after: 3000, error: new MoteError("MOTE_UNREACHABLE", "connection reset") });
    const opened: string[] = [];
    const openSource = (ref: Ref) => {
      opened.push(refCodec.format(ref));
      if (ref.transport === "docker" && ref.registry === "two.example") return mirror;
      throw new MoteError("MOTE_UNAUTHORIZED", "not you");
    };
    const destination = new MemoryDestination();
    const report = await transfer({ source, destination, cache, bic, refCodec, openSource, refs: ["v1"] });
    expect(opened).toEqual(["closed.example/mirror:latest", "two.example/mirror:latest"]);
    expect(source.asked.filter(({ digest }) => digest === layer.digest)).toEqual([{ digest: layer.digest, start: 0 }]);
    expect(mirror.asked).toEqual([{ digest: layer.digest, start: 3000 }]);
    expect(destination.contents.get(layer.digest)).toEqual(source.contents.get(layer.digest));
    expect(report.warnings).toHaveLength(2);
    expect(report.fetched.count).toBe(2);
  });

  it("continues a blob from a fallback if the source ends early", async () => {
    const { bic, layer, mirror, locator } = mirroredImage();
    await locator.recordLayerSource(layer, place("two.example", "mirror"));
    source.replacements.set(layer.digest, (bytes) => bytes.slice(0, 2000));
    await transfer({ source, cache, bic, refCodec, openSource: () => mirror, refs: ["v1"] });
    expect(mirror.asked).toEqual([{ digest: layer.digest, start: 2000 }]);
    expect(await cache.moteExists(layer.digest)).toBe(true);
  });

  it("reads a wrong blob again from a fallback", async () => {
    const { bic, layer, mirror, locator } = mirroredImage();
    const lying = () => someBytes(5000, 99);
    source.replacements.set(layer.digest, lying);
    const destination = new MemoryDestination();
    const parts = { source, destination, bic, refCodec, openSource: () => mirror, refs: ["v1"] };
    await expect(transfer({ ...parts, cache: new NilCache() })).rejects.toMatchObject({ code: "MOTE_DIGEST_MISMATCH" });
    await locator.recordLayerSource(layer, place("two.example", "mirror"));
    const report = await transfer({ ...parts, cache });
    expect(mirror.asked).toEqual([{ digest: layer.digest, start: 0 }]);
    expect(destination.contents.get(layer.digest)).toEqual(source.contents.get(layer.digest));
    expect([report.fetched.count, report.warnings.length]).toEqual([1, 1]);
    const known = await locator.locateLayer(layer, place("one.example", "x"), { matchRegistry: true });
    expect(known).toEqual([]);

    mirror.replacements.set(layer.digest, lying);
    destination.contents.clear();
    await cache.removeMote(layer.digest);
    const details = { registry: "one.example" };
    await expect(transfer({ ...parts, cache })).rejects.toMatchObject({ code: "MOTE_DIGEST_MISMATCH", details });
    expect([await cache.moteExists(layer.digest), destination.contents.has(layer.digest)]).toEqual([false, false]);
  });

  it("fails with the error of the source if the fallbacks fail, too", async () => {
    const bic = new MemoryBlobInfoCache();
    const image = addImage(source, "v1", [5000]);
    const [layer] = image.layers;
    if (layer === undefined) throw new Error("no layer");
    source.ref = place("one.example", "app");
    await new LayerLocator(bic, refCodec).recordLayerSource(layer, place("two.example", "mirror"));
    source.breaks.set(layer.digest, { after: 3000, error: new MoteError("MOTE_UNREACHABLE", "connection reset") });
    const openSource = () => new MemorySource();
    const parts = { source, cache, bic, refCodec, openSource, refs: ["v1"] };
    await expect(transfer(parts)).rejects.toMatchObject({ code: "MOTE_UNREACHABLE" });
  });
});
