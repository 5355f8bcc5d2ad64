import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Descriptor, takeInventory } from "@mote/core";
import { freePort } from "@mote/testbed";
import { afterEach, beforeEach, expect, it } from "vitest";
import { incompleteManifests, type OpenMote, openMote, type RegistryServer } from "../src/index.js";
import { type Image, put, putIndex } from "./images.js";

let root: string;
let upstream: OpenMote;
let server: RegistryServer;
let mote: OpenMote;
let amd: Image;
let arm: Image;
let index: Descriptor;
let source: string;
let name: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "mote-platforms-"));
  upstream = await openMote({ dir: join(root, "upstream") });
  amd = await imageFor("amd64");
  arm = await imageFor("arm64");
  index = await putIndex(
    upstream.cache,
    ["lib/app:1"],
    [
      { ...amd.manifest, platform: { os: "linux", architecture: "amd64" } },
      { ...arm.manifest, platform: { os: "linux", architecture: "arm64" } },
    ],
  );
  await upstream.tags.tag("lib/single:1", amd.manifest);
  server = await upstream.serve({ port: await freePort() });
  name = `${server.host}:${server.port}/lib/app:1`;
  source = `docker://${name}`;
  mote = await openMote({ dir: join(root, "cache"), registries: { retries: 0 } });
});

afterEach(async () => {
  await mote.close();
  await server.close();
  await upstream.close();
  await rm(root, { recursive: true, force: true });
});

async function imageFor(architecture: string): Promise<Image> {
  const json = (body: unknown) => new TextEncoder().encode(JSON.stringify(body));
  const config = await put(
    upstream.cache,
    "application/vnd.oci.image.config.v1+json",
    json({ os: "linux", architecture }),
  );
  const layer = await put(upstream.cache, "application/vnd.oci.image.layer.v1.tar", json(`layer for ${architecture}`));
  const mediaType = "application/vnd.oci.image.manifest.v1+json";
  const body = { schemaVersion: 2, mediaType, config, layers: [layer] };
  return { manifest: await put(upstream.cache, mediaType, json(body)), config, layers: [layer] };
}

const failureOf = (work: Promise<unknown>) =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );

async function digestIn(layout: string): Promise<unknown> {
  return JSON.parse(await readFile(join(root, layout, "index.json"), "utf8")).manifests[0].digest;
}

it("a tag refers to the index after a pull of any platform, and each is found when the registry is unreachable", async () => {
  await mote.pull(source, `oci:${root}/one:1`, { platform: "linux/amd64" });
  expect(await mote.tags.resolve(name)).toMatchObject({ digest: index.digest });
  await mote.pull(source, undefined, { platform: "linux/arm64" });
  expect(await mote.tags.resolve(name)).toMatchObject({ digest: index.digest });
  await server.close();
  for (const [platform, image] of [
    ["linux/amd64", amd],
    ["linux/aarch64", arm],
  ] as const) {
    const report = await mote.pull(source, `oci:${root}/${platform}:1`, { platform });
    expect(await digestIn(platform)).toBe(image.manifest.digest);
    expect(report.warnings).toEqual([expect.stringContaining("as it is stored since")]);
  }
});

it("a platform that was never fetched is an error while the registry is unreachable, and names the stored ones", async () => {
  await mote.pull(source, undefined, { platform: "linux/amd64" });
  await server.close();
  expect(await failureOf(mote.pull(source, undefined, { platform: "linux/arm64" }))).toMatchObject({
    code: "MOTE_NO_PLATFORM",
    details: { platforms: ["linux/amd64"] },
  });
  expect(await failureOf(mote.pull(source, `oci:${root}/x:1`, { platform: "linux/s390x" }))).toMatchObject({
    code: "MOTE_NO_PLATFORM",
  });
  expect(await failureOf(mote.pull(source, `oci:${root}/x:1`))).toMatchObject({
    code: "MOTE_UNREACHABLE",
    details: { platforms: ["linux/amd64"] },
  });
  expect(await mote.tags.resolve(name)).toMatchObject({ digest: index.digest });
});

it("an index with some of its platforms is served unchanged, and is not damaged", async () => {
  await mote.pull(source, undefined, { platform: "linux/amd64" });
  const inventory = await takeInventory(mote.cache);
  expect(incompleteManifests(inventory)).toEqual([]);
  expect(await mote.repair()).toEqual([]);
  await using served = await mote.serve({ port: await freePort() });
  const manifest = (reference: string) =>
    fetch(`${served.url}/v2/lib/app/manifests/${reference}`).then(async (response) => ({
      status: response.status,
      body: JSON.parse(await response.text()),
    }));
  const { body } = await manifest("1");
  expect(body.manifests).toHaveLength(2);
  expect(await manifest(amd.manifest.digest)).toMatchObject({
    status: 200,
    body: { config: { digest: amd.config.digest } },
  });
  expect(await manifest(arm.manifest.digest)).toMatchObject({
    status: 404,
    body: { errors: [{ code: "MANIFEST_UNKNOWN" }] },
  });
});

it("all platforms can be pulled after one, and prune removes the tag and the content of a platform together", async () => {
  await mote.pull(source, undefined, { platform: "linux/amd64" });
  await mote.pull(source);
  expect(await mote.cache.moteExists(arm.layers[0]?.digest ?? arm.manifest.digest)).toBe(true);
  await mote.cache.removeMote(arm.manifest.digest);
  const report = await mote.cache.prune(0);
  expect(report.reached).toBe(true);
  expect(await mote.tags.resolve(name)).toBeUndefined();
});

it("a tag that an earlier release moved to one platform refers to it until the registry is reachable", async () => {
  await mote.pull(source, undefined, { platform: "linux/amd64" });
  await mote.tags.tag(name, amd.manifest);
  await mote.cache.removeMote(index.digest);
  const { port } = server;
  await server.close();
  expect(await failureOf(mote.pull(source, undefined, { platform: "linux/arm64" }))).toMatchObject({
    code: "MOTE_NO_PLATFORM",
    details: { platforms: ["linux/amd64"] },
  });
  const report = await mote.pull(source, `oci:${root}/amd:1`);
  expect(report.warnings).toEqual([expect.stringContaining("linux/amd64")]);
  server = await upstream.serve({ port });
  await mote.pull(source, undefined, { platform: "linux/arm64" });
  expect(await mote.tags.resolve(name)).toMatchObject({ digest: index.digest });
});

it("a single image of another platform is an error, whether the registry is reachable or not", async () => {
  const single = source.replace("app", "single");
  const wrong = { code: "MOTE_NO_PLATFORM", details: { platforms: ["linux/amd64"] } };
  expect(await failureOf(mote.pull(single, undefined, { platform: "linux/arm64" }))).toMatchObject(wrong);
  await mote.pull(single, undefined, { platform: "linux/amd64" });
  await server.close();
  expect(await failureOf(mote.pull(single, undefined, { platform: "linux/arm64" }))).toMatchObject(wrong);
});
