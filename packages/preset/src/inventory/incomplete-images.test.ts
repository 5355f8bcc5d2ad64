import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { digestBytes, mediaTypes, takeInventory } from "@mote/core";
import { FileCache } from "@mote/fs";
import { afterEach, beforeEach, expect, it } from "vitest";
import { putImage, putIndex } from "../../test/images.js";
import { examineMote, incompleteManifests } from "../index.js";

let root: string;
let cache: FileCache;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "mote-incomplete-"));
  cache = new FileCache(root);
});

afterEach(async () => {
  await cache[Symbol.asyncDispose]();
  await rm(root, { recursive: true, force: true });
});

it("lists an image with a missing layer, and a tag without its manifest, by their names", async () => {
  const lacking = await putImage(cache, ["r.example/app:1", "r.example/app:2"], { a: 10, b: 20 });
  const gone = await putImage(cache, ["r.example/gone:1"], { c: 10 });
  await putImage(cache, ["r.example/whole:1"], { d: 10 });
  await cache.removeMote(lacking.layers[0]?.digest ?? lacking.manifest.digest);
  await cache.removeMote(gone.manifest.digest);
  const found = incompleteManifests(await takeInventory(cache));
  expect(found).toHaveLength(2);
  expect(found).toContainEqual({ digest: lacking.manifest.digest, names: ["r.example/app:1", "r.example/app:2"] });
  expect(found).toContainEqual({ digest: gone.manifest.digest, names: ["r.example/gone:1"] });
});

it("does not list images with platforms that were never fetched or foreign layers, but with a damaged platform", async () => {
  const [amd, arm] = [await putImage(cache, [], { a: 10 }), await putImage(cache, [], { b: 10 })];
  await putIndex(cache, ["r.example/multi:1"], [amd.manifest, arm.manifest]);
  await cache.removeMote(arm.manifest.digest);
  const digest = digestBytes(new Uint8Array(5));
  const mediaType = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip";
  const foreign = { mediaType, digest, size: 5, urls: ["https://elsewhere.example/layer"] };
  await putImage(cache, ["r.example/foreign:1"], {}, { layers: [foreign] });
  const inventory = await takeInventory(cache);
  expect(incompleteManifests(inventory)).toEqual([]);
  expect(incompleteManifests(inventory, new Set([arm.manifest.digest]))).toEqual([
    { digest: arm.manifest.digest, names: ["r.example/multi:1"] },
  ]);
});

it("lists an image with a missing layer of an ordinary type, with or without urls", async () => {
  const digest = digestBytes(new Uint8Array(5));
  const urls = ["https://elsewhere.example/layer"];
  const nowhere = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip";
  const ordinary = { mediaType: mediaTypes.ociLayer, digest, size: 5, urls };
  await putImage(cache, ["r.example/urls:1"], { a: 10 }, { layers: [ordinary] });
  await putImage(cache, ["r.example/nowhere:1"], { b: 10 }, { layers: [{ mediaType: nowhere, digest, size: 5 }] });
  const names = incompleteManifests(await takeInventory(cache)).flatMap((found) => found.names);
  expect(names.sort()).toEqual(["r.example/nowhere:1", "r.example/urls:1"]);
});

it("doctor reports each incomplete image once, even if several platforms lack a layer", async () => {
  const platforms = [];
  for (const letter of ["a", "b", "c"]) platforms.push(await putImage(cache, [], { [letter]: 10, z: 20 }));
  const shared = platforms[0]?.layers[1]?.digest;
  await putIndex(
    cache,
    ["r.example/multi:1"],
    platforms.map(({ manifest }) => manifest),
  );
  await putImage(cache, ["r.example/other:1"], { d: 10, z: 20 });
  await putImage(cache, ["r.example/whole:1"], { e: 10 });
  if (shared === undefined) throw new Error("there is no layer");
  await cache.removeMote(shared);
  let says = "";
  for await (const finding of examineMote({ dir: root, hosts: [] }))
    if (finding.topic === "images") says = finding.says;
  expect(says.match(/r\.example\/\w+:1/g)?.sort()).toEqual(["r.example/multi:1", "r.example/other:1"]);
});
