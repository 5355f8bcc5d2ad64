import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Descriptor, digestBytes, type Lease, mediaTypes, writeMote } from "@mote/core";
import { FileCache } from "@mote/fs";
import { afterEach, beforeEach, expect, it } from "vitest";
import { createHandler, serve } from "../index.js";

const tag = "registry.example/team/app:1";
const manifestPath = "/v2/team/app/manifests/1";

let root: string;
let cache: FileCache;
let layer: Descriptor;
let manifest: Descriptor;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "mote-given-"));
  cache = new FileCache(root, { durability: "visible" });
  await cache.initialize();
  layer = await put(mediaTypes.ociLayer, new Uint8Array(1000).fill(7));
  const config = await put(mediaTypes.ociConfig, new TextEncoder().encode("{}"));
  const body = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: [layer] };
  manifest = await put(mediaTypes.ociManifest, new TextEncoder().encode(JSON.stringify(body)));
  await cache.tags.tag(tag, manifest);
});

afterEach(async () => {
  await cache[Symbol.asyncDispose]();
  await rm(root, { recursive: true });
});

async function put(mediaType: string, bytes: Uint8Array): Promise<Descriptor> {
  const digest = digestBytes(bytes);
  await writeMote(cache, { digest, mediaType, size: bytes.byteLength }, bytes);
  return { mediaType, digest, size: bytes.byteLength };
}

it("the blobs of a served manifest survive a prune", async () => {
  await using server = await serve({ source: cache, tags: cache.tags });
  expect((await fetch(server.url + manifestPath)).status).toBe(200);
  const report = await cache.prune(0);
  expect(report.skipped.map(({ reason }) => reason)).toContain("leased");
  expect((await fetch(`${server.url}/v2/team/app/blobs/${layer.digest}`)).status).toBe(200);
});

it("leases are released when the server closes", async () => {
  const server = await serve({ source: cache, tags: cache.tags });
  await fetch(server.url + manifestPath);
  await server.close();
  expect(await cache.prune(0)).toMatchObject({ remainingBytes: 0, reached: true });
});

it("unused leases are released, and content without leases is not leased", async () => {
  let release = () => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const lease = async (): Promise<Lease> => ({
    add: async () => {},
    release: async () => release(),
    [Symbol.asyncDispose]: async () => {},
  });
  const source = new Proxy(cache, {
    get: (target, name) => {
      if (name === "lease") return lease;
      const value = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  await createHandler({ source, tags: cache.tags, holdMs: 5 })(new Request(`http://registry.test${manifestPath}`));
  await released;

  await createHandler({ source: cache, tags: cache.tags, holdMs: 0 })(
    new Request(`http://registry.test${manifestPath}`),
  );
  expect(await cache.prune(0)).toMatchObject({ remainingBytes: 0 });
});

it("a manifest that a prune removes meanwhile is not served", async () => {
  const source = new Proxy(cache, {
    get: (target, name) => {
      if (name === "lease") {
        return async (digests: Iterable<never>) => {
          await target.prune(0);
          return target.lease(digests);
        };
      }
      const value = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  const handler = createHandler({ source, tags: cache.tags });
  expect((await handler(new Request(`http://registry.test${manifestPath}`))).status).toBe(404);
});
