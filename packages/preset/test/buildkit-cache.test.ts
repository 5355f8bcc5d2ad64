import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { type Descriptor, digestBytes, mediaTypes } from "@mote/core";
import type { RegistryServer } from "@mote/server";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type OpenMote, openMote, verifyArchive } from "../src/index.js";

// The requests and documents of BuildKit's `type=registry` caches, as its cache/remotecache and containerd's core/remotes/docker make them.

const cacheConfig = "application/vnd.buildkit.cacheconfig.v0";
const resolvable = [
  mediaTypes.dockerManifest,
  mediaTypes.dockerManifestList,
  mediaTypes.ociManifest,
  mediaTypes.ociIndex,
];
const repository = "cache/app";

let dir: string;
let mote: OpenMote;
let server: RegistryServer;
const opened: AsyncDisposable[] = [];

async function open(name: string): Promise<OpenMote> {
  const one = await openMote({ dir: join(dir, name) });
  opened.push(one);
  return one;
}

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "mote-buildkit-"));
  mote = await open("served");
  server = await mote.serve({ push: true, graceMs: 0 });
  opened.push(server);
});
afterEach(async () => {
  for (const each of opened.splice(0).reverse()) await each[Symbol.asyncDispose]();
  await rm(dir, { recursive: true, force: true });
});

const encode = (body: object) => new TextEncoder().encode(JSON.stringify(body));

interface Part {
  readonly descriptor: Descriptor;
  readonly bytes: Uint8Array;
}

interface BuildCache {
  readonly blobs: readonly Part[];
  readonly manifest: Part;
}

function part(bytes: Uint8Array, mediaType: string, fields: object = {}): Part {
  return { bytes, descriptor: { mediaType, digest: digestBytes(bytes), size: bytes.byteLength, ...fields } };
}

/** What `mode=max` exports: the layers of each step, and a config that says which steps they are of. */
function buildCache(layerType: string, layers: readonly string[], compose: (blobs: readonly Descriptor[]) => object) {
  const blobs = layers.map((text) => {
    const annotations = { "buildkit/createdat": "2026-11-29T00:00:00Z", "containerd.io/uncompressed": digestOf(text) };
    return part(new Uint8Array(gzipSync(text.repeat(1000))), layerType, { annotations });
  });
  const records = blobs.map((_, layer) => ({ digest: digestOf(`step ${layer}`), layers: [{ layer }] }));
  const config = part(
    encode({ layers: blobs.map(({ descriptor }, at) => ({ blob: descriptor.digest, parent: at - 1 })), records }),
    cacheConfig,
  );
  const all = [...blobs, config];
  const body = compose(all.map(({ descriptor }) => descriptor));
  const { mediaType } = body as { mediaType: string };
  return { blobs: all, manifest: part(encode(body), mediaType) } satisfies BuildCache;
}

const digestOf = (text: string) => digestBytes(new TextEncoder().encode(text));

const index = (mediaType: string) => (manifests: readonly Descriptor[]) => ({ schemaVersion: 2, mediaType, manifests });
const forms = {
  "an index (image-manifest=false)": (layers: readonly string[]) =>
    buildCache(mediaTypes.ociLayerGzip, layers, index(mediaTypes.ociIndex)),
  "a manifest list (oci-mediatypes=false)": (layers: readonly string[]) =>
    buildCache(mediaTypes.dockerLayerGzip, layers, index(mediaTypes.dockerManifestList)),
  "an image manifest": (layers: readonly string[]) =>
    buildCache(mediaTypes.ociLayerGzip, layers, (blobs) => ({
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      config: blobs.at(-1),
      layers: blobs.slice(0, -1),
    })),
};

/** Exports a build cache. Returns the number of blobs that were sent. */
async function exportCache({ url }: RegistryServer, { blobs, manifest }: BuildCache): Promise<number> {
  const base = `${url}/v2/${repository}`;
  let sent = 0;
  for (const { descriptor, bytes } of blobs) {
    const accept = `${descriptor.mediaType}, */*`;
    const found = await fetch(`${base}/blobs/${descriptor.digest}`, { method: "HEAD", headers: { accept } });
    if (found.status === 200) continue;
    expect(found.status).toBe(404);
    const begun = await fetch(`${base}/blobs/uploads/`, { method: "POST" });
    expect(begun.status).toBe(202);
    const location = new URL(begun.headers.get("location") ?? "", url);
    location.searchParams.append("digest", descriptor.digest);
    const headers = { "content-type": "application/octet-stream" };
    const put = await fetch(location, { method: "PUT", headers, body: Buffer.from(bytes) });
    expect(put.status).toBe(201);
    sent++;
  }
  const { mediaType, digest } = manifest.descriptor;
  const before = await fetch(`${base}/manifests/main`, { method: "HEAD", headers: { accept: `${mediaType}, */*` } });
  if (before.status === 200 && before.headers.get("docker-content-digest") === digest) return sent;
  const body = Buffer.from(manifest.bytes);
  const put = await fetch(`${base}/manifests/main`, { method: "PUT", headers: { "content-type": mediaType }, body });
  expect([put.status, put.headers.get("docker-content-digest")]).toEqual([201, digest]);
  return sent;
}

/** Imports a build cache as it was exported, the config first and then every layer. */
async function importCache(base: string, { blobs, manifest }: BuildCache): Promise<void> {
  const accept = [...resolvable, "*/*"].join(", ");
  const resolved = await fetch(`${base}/manifests/main`, { method: "HEAD", headers: { accept } });
  const { mediaType, digest, size } = manifest.descriptor;
  const fields = ["docker-content-digest", "content-type", "content-length"].map((name) => resolved.headers.get(name));
  expect([resolved.status, ...fields]).toEqual([200, digest, mediaType, String(size)]);
  const read = async (kind: string, descriptor: Descriptor) => {
    const headers = { accept: `${descriptor.mediaType}, */*` };
    const response = await fetch(`${base}/${kind}/${descriptor.digest}`, { headers });
    expect([descriptor.mediaType, response.status]).toEqual([descriptor.mediaType, 200]);
    return new Uint8Array(await response.arrayBuffer());
  };
  expect(await read("manifests", manifest.descriptor)).toEqual(manifest.bytes);
  for (const { descriptor, bytes } of [...blobs].reverse()) expect(await read("blobs", descriptor)).toEqual(bytes);
}

describe.each(Object.entries(forms))("a build cache as %s", (_form, make) => {
  const cache = make(["FROM", "COPY", "RUN"]);

  it("is exported to mote serve and imported from it, and a second build sends only what is new", async () => {
    expect(await exportCache(server, cache)).toBe(4);
    await importCache(`${server.url}/v2/${repository}`, cache);
    expect(await exportCache(server, cache)).toBe(0);
    const next = make(["FROM", "COPY", "RUN again"]);
    expect(await exportCache(server, next)).toBe(2);
    await importCache(`${server.url}/v2/${repository}`, next);
  });

  it("is imported through a mirror, which then has all of it", async () => {
    await exportCache(server, cache);
    const near = await open("mirror");
    const upstreams = [`builds.example=http://${server.host}:${server.port}`];
    const online = await near.serve({ mirror: { upstreams }, graceMs: 0 });
    await importCache(`${online.url}/v2/builds.example/${repository}`, cache);
    await online.close();
    const offline = await near.serve({ mirror: { upstreams, offline: true }, graceMs: 0 });
    opened.push(offline);
    await importCache(`${offline.url}/v2/${repository}`, cache);
  });

  it("is pulled into a layout and pushed to another registry, unchanged", async () => {
    await exportCache(server, cache);
    const runner = await open("runner");
    const other = await (await open("other")).serve({ push: true, graceMs: 0 });
    opened.push(other);
    await runner.pull(`docker://${server.host}:${server.port}/${repository}:main`, `oci:${dir}/layout:main`);
    expect(await verifyArchive(`oci:${dir}/layout`)).toMatchObject({ images: 1, damaged: [], missing: [] });
    await runner.push(`oci:${dir}/layout:main`, `docker://${other.host}:${other.port}/${repository}:main`);
    await importCache(`${other.url}/v2/${repository}`, cache);
  });

  it("is rejected if a layer was not sent, and sets no tag", async () => {
    const missing = { ...cache, blobs: cache.blobs.slice(1) };
    await expect(exportCache(server, missing)).rejects.toThrow("404");
    expect((await fetch(`${server.url}/v2/${repository}/manifests/main`)).status).toBe(404);
  });
});
