import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { digestBytes, MemoryCache, MemoryTagStore, mediaTypes, readMote } from "@mote/core";
import { RegistryCache, RegistryClient, RegistryRepository } from "@mote/registry";
import { afterEach, beforeEach, expect, it } from "vitest";
import { Mirror } from "../src/index.js";

const encoder = new TextEncoder();
const config = encoder.encode("{}");
const layer = encoder.encode("layer");
const described = (bytes: Uint8Array, mediaType: string) => ({
  mediaType,
  digest: digestBytes(bytes),
  size: bytes.byteLength,
});
const manifest = encoder.encode(
  JSON.stringify({
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: described(config, mediaTypes.ociConfig),
    layers: [described(layer, mediaTypes.ociLayer)],
  }),
);
const contents = new Map([config, layer, manifest].map((bytes) => [digestBytes(bytes) as string, bytes]));

let server: Server;
let client: RegistryClient;

beforeEach(async () => {
  client = new RegistryClient();
  server = createServer(({ url = "", method }, response) => {
    if (url.endsWith("/tags/list")) return void response.end(JSON.stringify({ name: "a/b", tags: ["1"] }));
    const name = url.split("/").at(-1) ?? "";
    const bytes = name === "1" ? manifest : contents.get(name);
    if (bytes === undefined) return void response.writeHead(404).end();
    response.writeHead(200, {
      "content-type": bytes === manifest ? mediaTypes.ociManifest : "application/octet-stream",
      "content-length": bytes.byteLength,
      "docker-content-digest": digestBytes(bytes),
    });
    response.end(method === "HEAD" ? undefined : bytes);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
});
afterEach(async () => {
  await client.close();
  server.closeAllConnections();
  server.close();
  await once(server, "close");
});

it("a mirror over a registry gives manifests, blobs and tags, in a cache that cannot follow a write", async () => {
  const registry = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const upstream = {
    name: "up.example",
    open(path: string) {
      const location = { registry, repository: path };
      const source = new RegistryRepository(client, location);
      return { source, blobs: new RegistryCache(client, location), tags: source.tags.bind(source) };
    },
  };
  const cache = new MemoryCache();
  await using mirror = new Mirror({ upstreams: [upstream], cache, tags: new MemoryTagStore() });
  const repository = mirror.repository("a/b");
  if (repository === undefined) throw new Error("no upstream");
  const { descriptor } = await mirror.manifest(repository, "1");
  expect(descriptor.digest).toBe(digestBytes(manifest));
  const blob = await mirror.blob(repository, digestBytes(layer));
  const chunks: Uint8Array[] = [];
  for await (const chunk of await blob.read()) chunks.push(chunk);
  expect(Buffer.concat(chunks).toString()).toBe("layer");
  expect(await readMote(cache, digestBytes(layer), { maxBytes: 100 })).toEqual(layer);
  expect(await mirror.tags(repository)).toEqual({ tags: ["1"], hasMore: false });
});
