// What somebody writes who has installed the packages: every package by its own name, from TypeScript, on each Node.
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MemoryStorage, StoredBlobInfoCache } from "@mote/bic";
import { LmdbBlobInfoCache } from "@mote/bic-lmdb";
import { MemoryBlobInfoCache } from "@mote/bic-memory";
import { blobInfoCacheSuite, type TestApi } from "@mote/conformance";
import {
  type BlobInfoCache,
  type Digest,
  digestBytes,
  LAYER_SCOPE,
  MoteError,
  type MoteSource,
  mediaTypes,
  readMote,
  writeMote,
} from "@mote/core";
import { FileCache, type FileCacheOptions } from "@mote/fs";
import { LayoutDestination, LayoutSource } from "@mote/layout";
import { type OpenMote, openMote } from "@mote/preset";
import { parseRef, refCodec } from "@mote/ref";
import { RegistryCache, RegistryClient } from "@mote/registry";
import { type RegistryServer, serve } from "@mote/server";
import { type TransferReport, transfer } from "@mote/transfer";

const folder = await mkdtemp(join(tmpdir(), "mote-consumer-"));
const bytes = new TextEncoder().encode("{}");
const digest: Digest = digestBytes(bytes);

await image();
await cacheAndServer();
await facts();
await preset();
await rm(folder, { recursive: true });
console.log("TypeScript: every package works");

/** An image from one layout into another, through a cache. */
async function image(): Promise<void> {
  await using from = new LayoutDestination(join(folder, "from"));
  const config = { mediaType: mediaTypes.ociEmpty, digest, size: bytes.byteLength };
  await from.manifest(config, bytes);
  const manifest = new TextEncoder().encode(
    JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: [] }),
  );
  const descriptor = { mediaType: mediaTypes.ociManifest, digest: digestBytes(manifest), size: manifest.byteLength };
  await from.manifest(descriptor, manifest);
  await from.tag("v1", descriptor);

  await using cache = new FileCache(join(folder, "cache"));
  await cache.initialize();
  await using destination = new LayoutDestination(join(folder, "to"));
  const source = new LayoutSource(join(folder, "from"));
  const report: TransferReport = await transfer({ source, destination, cache, refs: ["v1"], tags: ["v2"] });
  assert.ok(report);
  assert.equal((await new LayoutSource(join(folder, "to")).resolve("v2")).digest, descriptor.digest);
}

async function cacheAndServer(): Promise<void> {
  const options: FileCacheOptions = { durability: "visible" };
  await using cache = new FileCache(join(folder, "other"), options);
  await cache.initialize();
  await writeMote(cache, { digest, mediaType: "application/json", size: bytes.byteLength }, bytes);

  // Only what belongs to a repository is served under its name.
  await cache.membership.record("app", digest);
  const server: RegistryServer = await serve({ source: cache, tags: cache.tags, port: 0 });
  const { host } = new URL(server.url);
  await using client = new RegistryClient();
  const upstream: MoteSource = new RegistryCache(client, { registry: host, repository: "app" });
  assert.deepEqual(await readMote(upstream, digest, { maxBytes: 10 }), bytes);
  await server.close();
}

async function facts(): Promise<void> {
  const ref = parseRef("docker://registry.example/app:1");
  assert.equal(refCodec.format(ref, { scheme: true }), "docker://registry.example/app:1");
  const caches: BlobInfoCache[] = [
    new StoredBlobInfoCache(async () => new MemoryStorage()),
    new MemoryBlobInfoCache(),
    new LmdbBlobInfoCache(join(folder, "facts.lmdb")),
  ];
  for (const bic of caches) {
    await bic.recordKnownLocation("docker", LAYER_SCOPE, digest, "docker://registry.example/app:1");
    const [found] = await bic.candidateLocations("docker", LAYER_SCOPE, digest, { canSubstitute: false });
    assert.equal(found?.location, "docker://registry.example/app:1");
    await bic.close();
  }
  let tests = 0;
  const testApi: TestApi = {
    describe: (_name, body) => body(),
    it: () => tests++,
    expect: () => ({ toBe: assert.fail, toEqual: assert.fail }),
  };
  blobInfoCacheSuite(testApi, () => new MemoryBlobInfoCache());
  assert.ok(tests > 10);
}

async function preset(): Promise<void> {
  await using mote: OpenMote = await openMote({ dir: join(folder, "preset") });
  await writeFile(join(folder, "file"), bytes);
  assert.equal((await mote.addFile(join(folder, "file"))).digest, digest);
  const missing = mote.pull(`oci:${folder}/nothing:1`);
  await assert.rejects(missing, (error) => MoteError.isInstance(error) && error.code === "MOTE_NOT_FOUND");
}
