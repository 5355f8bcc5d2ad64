import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Descriptor, digestBytes, MemoryCache, mediaTypes, writeMote } from "@mote/core";
import { FileCache } from "@mote/fs";
import { afterAll, afterEach, beforeEach, expect, it, vi } from "vitest";
import { TieredCache } from "../src/index.js";

const root = mkdtempSync(join(tmpdir(), "mote-tiered-"));
afterAll(() => rmSync(root, { recursive: true }));
const newFolder = () => mkdtempSync(join(root, "cache-"));

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
});
afterEach(() => {
  vi.useRealTimers();
});

const [layerBytes, configBytes, otherBytes] = ["layer", "{}", "other"].map((text) => new TextEncoder().encode(text));
const [layer, config, other] = [layerBytes, configBytes, otherBytes].map((bytes = new Uint8Array()) => ({
  digest: digestBytes(bytes),
  mediaType: mediaTypes.octetStream,
  size: bytes.byteLength,
})) as [Descriptor, Descriptor, Descriptor];
const manifestBytes = new TextEncoder().encode(
  JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: [layer] }),
);
const manifest = {
  digest: digestBytes(manifestBytes),
  mediaType: mediaTypes.ociManifest,
  size: manifestBytes.byteLength,
};
const contents: readonly (readonly [Descriptor, Uint8Array | undefined])[] = [
  [layer, layerBytes],
  [config, configBytes],
  [manifest, manifestBytes],
];

/** A member of a fleet that has followed all of an image, which others write to the tier. */
async function follower(far: MemoryCache): Promise<TieredCache> {
  const isWrittenElsewhere = () => true;
  const cache = new TieredCache(new FileCache(newFolder()), far, { write: "back", keepOpen: true, isWrittenElsewhere });
  await cache.initialize();
  for (const [descriptor, bytes = new Uint8Array()] of contents) await writeMote(cache, descriptor, bytes);
  return cache;
}

it("a member that has followed an image names it in the tier only when the others have written all of it", async () => {
  const far = new MemoryCache();
  await writeMote(far, manifest, manifestBytes);
  await writeMote(far, config, configBytes ?? new Uint8Array());
  await using cache = await follower(far);
  await cache.tags?.tag("app:1", manifest);
  await cache.drain();
  expect(await far.tags.resolve("app:1")).toBeUndefined();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(await far.tags.resolve("app:1")).toBeUndefined();
  await writeMote(far, layer, layerBytes ?? new Uint8Array());
  await vi.advanceTimersByTimeAsync(600_000);
  expect(await far.tags.resolve("app:1")).toMatchObject({ digest: manifest.digest });
});

it("sets waiting tags when it is drained, but not a tag that has moved to another image", async () => {
  const far = new MemoryCache();
  await using cache = await follower(far);
  await cache.tags?.tag("app:1", manifest);
  await cache.tags?.tag("app:latest", manifest);
  await cache.drain();
  await cache.tags?.tag("app:latest", other);
  for (const [descriptor, bytes = new Uint8Array()] of contents) await writeMote(far, descriptor, bytes);
  await cache.drain();
  expect(await far.tags.resolve("app:1")).toMatchObject({ digest: manifest.digest });
  expect(await far.tags.resolve("app:latest")).toBeUndefined();
});
