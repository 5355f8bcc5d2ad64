import { digestBytes, mediaTypes, readMote } from "@mote/core";
import { afterEach, describe, expect, it } from "vitest";
import { type Intercept, serveImage } from "../../test/fake-registry.js";
import { makeImage } from "../../test/image.js";
import { codeOf, read, sameBytes } from "../../test/outcome.js";
import { RegistryClient } from "../client.js";
import { RegistryCache } from "./registry-cache.js";

const image = makeImage(300_000);
const [layer = image.config] = image.layers;
const bytes = image.blobs.get(layer.digest) ?? new Uint8Array();
const absent = digestBytes(new Uint8Array(7));

const opened: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one[Symbol.asyncDispose]();
});

// As in registries, manifests are not blobs.
async function start(intercept: Intercept = () => false) {
  const server = await serveImage(image, (request, response) => {
    if (request.url?.endsWith(`/blobs/${image.manifest.digest}`)) return response.writeHead(404).end() === response;
    return intercept(request, response);
  });
  const client = new RegistryClient({ retryDelayMs: 1 });
  opened.push(server, client);
  return { server, cache: new RegistryCache(client, { registry: server.host, repository: "a/b" }) };
}

describe("a repository as a cache", () => {
  it("finds blobs and manifests by digest, and not absent ones", async () => {
    const { cache } = await start();
    expect(await cache.find(layer.digest)).toEqual({ ...layer, mediaType: mediaTypes.octetStream });
    expect(await cache.find(image.manifest.digest)).toEqual(image.manifest);
    expect(await cache.moteExists(layer.digest)).toBe(true);
    expect(await cache.find(absent)).toBeUndefined();
    expect(await cache.moteExists(absent)).toBe(false);
  });

  it("reads a complete mote with one request", async () => {
    const { cache, server } = await start();
    expect(sameBytes(await read(await cache.moteReader(layer.digest)), bytes)).toBe(true);
    expect(server.seen).toHaveLength(1);
    expect(await readMote(cache, image.manifest.digest, { maxBytes: 1 << 20 })).toEqual(image.manifestBytes);
  });

  it("reads any range, and nothing beyond the end", async () => {
    const { cache } = await start();
    for (const digest of [layer.digest, image.manifest.digest]) {
      const whole = image.blobs.get(digest) ?? new Uint8Array();
      for (const [start, end] of [
        [0, 10],
        [5, 10],
        [5, undefined],
        [0, whole.byteLength + 9],
        [whole.byteLength - 1, whole.byteLength + 9],
        [whole.byteLength, undefined],
        [whole.byteLength + 9, whole.byteLength + 10],
        [7, 7],
        [9, 3],
        [0, 0],
      ] as const) {
        const part = await read(await cache.moteReader(digest, { start, end }));
        expect([
          start,
          end,
          sameBytes(part, whole.subarray(start, end === undefined ? end : Math.max(start, end))),
        ]).toEqual([start, end, true]);
      }
    }
  });

  it("reads at any position by Range, even if ranges are ignored", async () => {
    for (const ignores of [false, true]) {
      const { cache } = await start((request, response) => {
        if (!ignores || request.method === "HEAD") return false;
        response.writeHead(200, { "content-length": bytes.byteLength }).end(bytes);
        return true;
      });
      await using readerAt = await cache.moteReaderAt(layer.digest);
      expect(readerAt.size).toBe(layer.size);
      for (const position of [0, 1000, layer.size - 3, layer.size, layer.size + 9]) {
        const into = new Uint8Array(100);
        const count = await readerAt.readAt(into, position);
        expect(sameBytes(into.subarray(0, count), bytes.subarray(position, position + 100))).toBe(true);
      }
    }
  });

  it("does not find absent motes", async () => {
    const { cache } = await start();
    expect(await codeOf(cache.moteReader(absent))).toBe("MOTE_NOT_FOUND");
    expect(await codeOf(cache.moteReader(absent, { start: 1 }))).toBe("MOTE_NOT_FOUND");
    expect(await codeOf(cache.moteReaderAt(absent))).toBe("MOTE_NOT_FOUND");
  });

  it("reports a damaged mote as corrupt", async () => {
    const { cache } = await start((request, response) => {
      response.writeHead(200, { "content-length": 3 }).end(request.method === "HEAD" ? undefined : "xyz");
      return true;
    });
    expect(await codeOf(read(await cache.moteReader(layer.digest)))).toBe("MOTE_CORRUPT");
    expect(await codeOf(cache.moteReader(image.manifest.digest))).toBe("MOTE_CORRUPT");
    expect(await read(await cache.moteReader(layer.digest, { verifyOnRead: false }))).toHaveLength(3);
  });

  it("reports an unreachable registry as an error, not as a miss", async () => {
    const { cache } = await start((_, response) => response.writeHead(403).end() === response);
    expect(await codeOf(cache.find(layer.digest))).toBe("MOTE_FORBIDDEN");
    expect(await codeOf(cache.moteExists(layer.digest))).toBe("MOTE_FORBIDDEN");
    expect(await codeOf(cache.moteReader(layer.digest))).toBe("MOTE_FORBIDDEN");
  });

  it("learns a size from GET if HEAD has none", async () => {
    const { cache } = await start((request, response) => {
      if (request.method !== "HEAD") return false;
      response.writeHead(200, { "transfer-encoding": "chunked" }).end();
      return true;
    });
    expect(await cache.find(layer.digest)).toMatchObject({ size: layer.size });
  });

  it("uses GET if HEAD is not sufficient", async () => {
    for (const status of [400, 405, 501]) {
      const { cache } = await start((request, response) => {
        if (request.method !== "HEAD") return false;
        response.writeHead(status).end();
        return true;
      });
      expect(await cache.find(layer.digest)).toMatchObject({ size: layer.size });
      expect(await cache.find(image.manifest.digest)).toMatchObject({ size: image.manifest.size });
      expect(await cache.find(digestBytes(new Uint8Array(7)))).toBeUndefined();
    }
  });

  it("returns the URL of a mote", async () => {
    const { cache, server } = await start();
    expect(cache.moteRef(layer.digest)).toBe(`http://${server.host}/v2/a/b/blobs/${layer.digest}`);
    expect(server.seen).toHaveLength(0);
  });

  it("rejects reads from a closed reader", async () => {
    const { cache } = await start();
    const readerAt = await cache.moteReaderAt(layer.digest);
    await readerAt.close();
    await readerAt.close();
    expect(await codeOf(readerAt.readAt(new Uint8Array(1), 0))).toBe("MOTE_CLOSED");
  });
});
