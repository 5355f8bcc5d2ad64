import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Descriptor, digestBytes, mediaTypes, readMote, type TagStore } from "@mote/core";
import { FileCache } from "@mote/fs";
import { LayoutDestination, LayoutSource } from "@mote/layout";
import { serve } from "@mote/server";
import { transfer } from "@mote/transfer";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { MemoryCache } from "../memory-cache.js";

const config = new TextEncoder().encode("{}");
const configDescriptor = { mediaType: mediaTypes.ociEmpty, digest: digestBytes(config), size: config.byteLength };

describe("a cache of one's own", () => {
  let folder: string;
  let cache: MemoryCache;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "mote-own-"));
    await writeImage(join(folder, "from"));
    cache = new MemoryCache();
    await transfer({
      source: new LayoutSource(join(folder, "from")),
      destination: new LayoutDestination(join(folder, "to")),
      cache,
      refs: ["v1"],
      tags: ["v1"],
    });
  });
  afterEach(async () => await rm(folder, { recursive: true }));

  it("is what a transfer goes through", async () => {
    const { digest } = await new LayoutSource(join(folder, "to")).resolve("v1");
    expect(await cache.moteExists(digest)).toBe(true);
    expect(await readMote(cache, configDescriptor.digest, { maxBytes: 10 })).toEqual(config);
  });

  it("is served as a registry", async () => {
    const server = await serve({ source: cache, tags: noTags });
    const answer = await fetch(`${server.url}/v2/app/blobs/${configDescriptor.digest}`);
    expect(await answer.text()).toBe("{}");
    await server.close();
  });

  it("is the tier behind a cache on disk", async () => {
    await using onDisk = new FileCache(join(folder, "disk"), { fallback: cache });
    await onDisk.initialize();
    expect(await readMote(onDisk, configDescriptor.digest, { maxBytes: 10 })).toEqual(config);
  });
});

const noTags: TagStore = {
  resolve: async () => undefined,
  tag: async () => {},
  untag: async () => {},
  list: () => none(),
};

async function* none(): AsyncGenerator<never, void, undefined> {}

async function writeImage(dir: string): Promise<void> {
  await using layout = new LayoutDestination(dir);
  const put = async (descriptor: Descriptor, bytes: Uint8Array) => await layout.manifest(descriptor, bytes);
  await put(configDescriptor, config);
  const bytes = new TextEncoder().encode(
    JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociManifest, config: configDescriptor, layers: [] }),
  );
  const manifest = { mediaType: mediaTypes.ociManifest, digest: digestBytes(bytes), size: bytes.byteLength };
  await put(manifest, bytes);
  await layout.tag("v1", manifest);
}
