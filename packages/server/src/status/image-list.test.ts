import { MemoryTagStore, mediaTypes } from "@mote/core";
import { expect, it } from "vitest";
import { MemorySource, putInRepository } from "../../test/memory-source.js";
import { ImageList, searchImages, summarizeImages } from "./image-list.js";

const encoder = new TextEncoder();

it("images have their names and sizes; names of layouts are not listed", async () => {
  const source = new MemorySource();
  const tags = new MemoryTagStore();
  const layer = source.put(encoder.encode("x".repeat(1000)));
  const manifest = await putInRepository(source, tags, "docker.io/library/app", layer);
  const index = source.putManifest({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [manifest] });
  await tags.tag("ghcr.io/acme/index:1", index);
  await tags.tag("oci:/home/someone/build:1", manifest);
  const absent = { ...manifest, digest: layer };
  await tags.tag("ghcr.io/acme/unreadable:1", absent);
  const images = await new ImageList(source, tags).find();
  const bytes = 1002 + manifest.size;
  expect(images).toMatchObject([
    { name: `docker.io/library/app:${layer.slice(7, 19)}`, digest: manifest.digest, bytes },
    { name: "ghcr.io/acme/index:1", bytes: bytes + index.size },
    { name: "ghcr.io/acme/unreadable:1", bytes: undefined },
  ]);
  expect(source.openReaders).toBe(0);
  const { count, largest } = summarizeImages(images, 1);
  expect([count, largest.map(({ name }) => name)]).toEqual([3, ["ghcr.io/acme/index:1"]]);
  expect(searchImages(images, " ACME  index ").map(({ name }) => name)).toEqual(["ghcr.io/acme/index:1"]);
  expect(searchImages(images, manifest.digest.slice(0, 20)).length).toBe(1);
  expect(searchImages(images, " ")).toEqual([]);
});
