import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Descriptor, digestBytes, mediaTypes, readMote, type Tag, type TagStore } from "@mote/core";
import { FileCache } from "@mote/fs";
import { LayoutDestination, LayoutSource } from "@mote/layout";
import { serve } from "@mote/server";
import { transfer } from "@mote/transfer";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { BoundedCache } from "../own-cache.js";

const config = new TextEncoder().encode("{}");
const configDescriptor = { mediaType: mediaTypes.ociEmpty, digest: digestBytes(config), size: config.byteLength };

describe("a custom cache", () => {
  let folder: string;
  let cache: BoundedCache;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "mote-own-"));
    await writeImage(join(folder, "from"));
    cache = new BoundedCache(1_000_000_000);
    await transfer({
      source: new LayoutSource(join(folder, "from")),
      destination: new LayoutDestination(join(folder, "to")),
      cache,
      refs: ["v1"],
      tags: ["v1"],
    });
  });
  afterEach(async () => await rm(folder, { recursive: true }));

  it("is used by a transfer", async () => {
    const { digest } = await new LayoutSource(join(folder, "to")).resolve("v1");
    expect(await cache.moteExists(digest)).toBe(true);
    expect(await readMote(cache, configDescriptor.digest, { maxBytes: 10 })).toEqual(config);
  });

  it("is served as a registry", async () => {
    const image = await new LayoutSource(join(folder, "to")).resolve("v1");
    await using server = await serve({
      source: cache,
      tags: oneTag({ name: "registry.example/app:v1", descriptor: image }),
    });
    const bodyOf = async (path: string) => await (await fetch(`${server.url}/v2/${path}`)).text();
    expect(await bodyOf("app/manifests/v1")).toContain(configDescriptor.digest);
    expect(await bodyOf(`app/manifests/${image.digest}`)).toContain(configDescriptor.digest);
    expect(await bodyOf(`app/blobs/${configDescriptor.digest}`)).toBe("{}");
    // Without a membership of its own, what the tags lead to is all that belongs to a repository.
    expect(await bodyOf(`other/blobs/${configDescriptor.digest}`)).toContain("BLOB_UNKNOWN");
  });

  it("is a tier behind a cache on disk", async () => {
    await using onDisk = new FileCache(join(folder, "disk"), { fallback: cache });
    await onDisk.initialize();
    expect(await readMote(onDisk, configDescriptor.digest, { maxBytes: 10 })).toEqual(config);
  });
});

function oneTag(tag: Tag): TagStore {
  return {
    resolve: async (name) => (name === tag.name ? tag.descriptor : undefined),
    tag: async () => {},
    untag: async () => {},
    async *list() {
      yield tag;
    },
  };
}

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
