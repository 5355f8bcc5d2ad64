import { once } from "node:events";
import { chmod, mkdtemp, open, rm } from "node:fs/promises";
import { get } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Digest, digestBytes, mediaTypes, writeMote } from "@mote/core";
import { FileCache } from "@mote/fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type RegistryServer, type ServedRequest, serve } from "../src/index.js";

const blobBytes = 5 * 1024 * 1024 + 1;

let folder: string;
let cache: FileCache;
let server: RegistryServer;
let served: ServedRequest[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "mote-server-"));
  cache = new FileCache(folder);
  await cache.initialize();
  served = [];
  server = await serve({ source: cache, tags: cache.tags, onRequest: (request) => served.push(request) });
});

afterEach(async () => {
  await server.close();
  await cache[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

async function putBlob(): Promise<Digest> {
  const bytes = new Uint8Array(blobBytes).map((_, at) => at % 251);
  const digest = digestBytes(bytes);
  await writeMote(cache, { digest, mediaType: mediaTypes.octetStream, size: bytes.byteLength }, bytes);
  await putManifestOf(digest);
  return digest;
}

/** Adds a blob to a repository with a manifest that refers to it. */
async function putManifestOf(blob: Digest): Promise<void> {
  const layer = { mediaType: mediaTypes.ociLayer, digest: blob, size: blobBytes };
  const body = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config: layer, layers: [layer] };
  const bytes = new TextEncoder().encode(JSON.stringify(body));
  const digest = digestBytes(bytes);
  await writeMote(cache, { digest, mediaType: mediaTypes.ociManifest, size: bytes.byteLength }, bytes);
  await cache.tags.tag("a:1", { mediaType: mediaTypes.ociManifest, digest, size: bytes.byteLength });
}

async function fetchBlob(digest: Digest): Promise<{ status: number | undefined; bytes: Uint8Array }> {
  const [response] = await once(get(`${server.url}/v2/a/blobs/${digest}`), "response");
  const chunks: Uint8Array[] = [];
  for await (const chunk of response) chunks.push(chunk);
  return { status: response.statusCode, bytes: new Uint8Array(Buffer.concat(chunks)) };
}

describe("a server over a cache on disk", () => {
  it("serves a blob unchanged to several clients", async () => {
    const digest = await putBlob();
    const fetched = await Promise.all([fetchBlob(digest), fetchBlob(digest), fetchBlob(digest)]);
    for (const { bytes } of fetched) expect(digestBytes(bytes)).toBe(digest);
  });

  it("does not serve a damaged blob completely, and not at all the next time", async () => {
    const digest = await putBlob();
    await chmod(cache.moteRef(digest), 0o600);
    const file = await open(cache.moteRef(digest), "r+");
    await file.write(new Uint8Array([255]), 0, 1, blobBytes - 1);
    await file.close();
    await expect(fetchBlob(digest)).rejects.toHaveProperty("code", "ECONNRESET");
    expect((await fetchBlob(digest)).status).toBe(404);
    expect(served[0]).toMatchObject({ status: 200, complete: false });
  });

  it("serves a blob completely that is removed meanwhile", async () => {
    const digest = await putBlob();
    const [response] = await once(get(`${server.url}/v2/a/blobs/${digest}`), "response");
    await cache.removeMote(digest);
    const chunks: Uint8Array[] = [];
    for await (const chunk of response) chunks.push(chunk);
    expect(digestBytes(new Uint8Array(Buffer.concat(chunks)))).toBe(digest);
  });
});
