import { type Descriptor, mediaTypes, NilCache } from "@mote/core";
import { beforeEach, expect, it } from "vitest";
import { ResumingCache } from "../test/memory-cache.js";
import { MemoryDestination, MemorySource } from "../test/memory-endpoints.js";
import { type AddedImage, addImage, addManifest, someBytes } from "../test/memory-images.js";
import { type TransferOptions, transfer } from "./index.js";

let source: MemorySource;
let destination: MemoryDestination;
let cache: ResumingCache;
let image: AddedImage;
let large: Descriptor;

beforeEach(() => {
  source = new MemorySource();
  destination = new MemoryDestination();
  cache = new ResumingCache();
  image = addImage(source, "v1", [5000]);
  const [layer] = image.layers;
  if (layer === undefined) throw new Error("no layer");
  large = layer;
});

const pull = (more: Partial<TransferOptions> = {}) => transfer({ source, destination, cache, refs: ["v1"], ...more });
const none = { count: 0, bytes: 0 };

it("bytes of an earlier transfer are resumed, and the rest is fetched", async () => {
  source.breaks.set(large.digest, { after: 3000, error: new Error("cut") });
  await expect(pull()).rejects.toThrow("cut");
  source.breaks.clear();
  destination = new MemoryDestination();
  const kept = cache.suspended.get(large.digest)?.byteLength ?? 0;
  expect(kept).toBeGreaterThan(0);
  const report = await pull();
  expect(report.resumed).toEqual({ count: 1, bytes: kept });
  expect(report.fetched.bytes + report.hit.bytes).toBe(5000 - kept + image.config.size);
  expect(report.copied).toEqual({ count: 2, bytes: 5000 + image.config.size });
});

it("wrong bytes that are fetched again count twice, their blob once", async () => {
  let replacements = 1;
  source.replacements.set(large.digest, (bytes) => (replacements-- > 0 ? bytes.map((byte) => byte ^ 1) : bytes));
  Object.assign(source, { reportCorruption: () => true });
  const report = await pull({ cache: new NilCache() });
  expect(report.fetched).toEqual({ count: 2, bytes: 2 * 5000 + image.config.size });
});

it("blobs that the destination or the cache has are counted separately and not fetched", async () => {
  await pull({ destination: undefined });
  destination.contents.set(image.config.digest, source.contents.get(image.config.digest) ?? new Uint8Array());
  const report = await pull();
  expect(report).toMatchObject({
    fetched: none,
    resumed: none,
    hit: { count: 1, bytes: 5000 },
    copied: { count: 1, bytes: 5000 },
    skipped: { count: 1, bytes: image.config.size },
    manifests: { count: 1, fetched: 0, fetchedBytes: 0 },
  });
});

it("content in the data of a descriptor is counted as inlined", async () => {
  const bytes = someBytes(100, 7);
  const inlined = source.add(bytes, mediaTypes.ociLayer, { data: btoa(String.fromCharCode(...bytes)) });
  const root = addManifest(source, image.config, [inlined]);
  source.tags.set("v1", root);
  const report = await pull();
  expect(report).toMatchObject({
    fetched: { count: 1, bytes: image.config.size },
    inlined: { count: 1, bytes: 100 },
    copied: { count: 2 },
    manifests: { count: 1, fetched: 1, fetchedBytes: root.size },
  });
});
