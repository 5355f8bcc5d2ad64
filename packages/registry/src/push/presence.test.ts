import { digestBytes, mediaTypes } from "@mote/core";
import { afterEach, describe, expect, it } from "vitest";
import { refuse, sendRange } from "../../test/fake-registry.js";
import { makeImage } from "../../test/image.js";
import { type MemoryRegistry, serveMemory } from "../../test/memory-registry.js";
import { codeOf } from "../../test/outcome.js";
import { type Handler, serve } from "../../test/server.js";
import { RegistryClient } from "../client.js";
import { RegistryDestination } from "./destination.js";

const image = makeImage(1000);
const [layer = image.config] = image.layers;
const bytes = image.blobs.get(layer.digest) ?? new Uint8Array();

const opened: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one[Symbol.asyncDispose]();
});

async function open(intercept?: Parameters<typeof serveMemory>[0], retries = 1) {
  const registry: MemoryRegistry = await serveMemory(intercept);
  const client = new RegistryClient({ retryDelayMs: 1, retries });
  opened.push(registry, client);
  return { registry, destination: new RegistryDestination(client, { registry: registry.host, repository: "a/b" }) };
}

/** Responds to every HEAD with this status and these headers. */
const onHead =
  (answer: Handler) => (): Handler & ((...sent: Parameters<Handler>) => boolean) => (request, response) => {
    if (request.method !== "HEAD") return false;
    answer(request, response);
    return true;
  };

describe("HEAD of a blob", () => {
  it("finds it by 200 with its size or none, and not by 404", async () => {
    const { registry, destination } = await open();
    expect(await destination.has(layer)).toBe(false);
    registry.blobs.set(layer.digest, bytes);
    expect(await destination.has(layer)).toBe(true);
    const noLength = await open(
      onHead((_, response) => response.writeHead(200, { "transfer-encoding": "chunked" }).end()),
    );
    expect(await noLength.destination.has(layer)).toBe(true);
  });

  it("is inconclusive for other responses, so that the blob is sent", async () => {
    const answers: [string, Handler][] = [
      ...[400, 403, 405, 410, 500, 501, 502, 503, 504, 520, 522, 524].map((status): [string, Handler] => [
        `${status}`,
        (_, response) => response.writeHead(status).end(),
      ]),
      ["a redirect to nowhere", (_, response) => response.writeHead(307).end()],
      ["a redirect in a circle", (request, response) => response.writeHead(307, { location: request.url }).end()],
      ["another length", (_, response) => response.writeHead(200, { "content-length": 0 }).end()],
      ["a web page", (_, response) => response.writeHead(200, { "content-type": "text/html" }).end()],
    ];
    for (const [name, answer] of answers) {
      const { registry, destination } = await open(onHead(answer));
      registry.blobs.set(layer.digest, bytes);
      expect([name, await destination.has(layer)]).toEqual([name, false]);
    }
  });

  it("is inconclusive if it is redirected to a URL that is signed for GET", async () => {
    for (const status of [400, 401, 403, 404, 405, 501, 503]) {
      const storage = await serve((_, response) => response.writeHead(status).end());
      opened.push(storage);
      const { destination } = await open(
        onHead((_, response) => response.writeHead(307, { location: `http://${storage.host}/signed?x=y` }).end()),
      );
      expect([status, await destination.has(layer)]).toEqual([status, false]);
    }
  });

  it("is followed by a GET of the signed URL, which finds the blob with or without ranges", async () => {
    for (const takesRanges of [true, false]) {
      for (const [size, isThere] of [
        [layer.size, true],
        [layer.size + 1, false],
      ] as const) {
        const storage = await serve((request, response) => {
          if (request.method === "HEAD") response.writeHead(403).end();
          else if (takesRanges) sendRange(request, response, bytes);
          else response.writeHead(200, { "content-length": bytes.byteLength }).end(bytes);
        });
        opened.push(storage);
        const { destination } = await open(() => (_, response) => {
          response.writeHead(307, { location: `http://${storage.host}/signed?x=y` }).end();
          return true;
        });
        expect(await destination.has({ ...layer, size })).toBe(isThere);
      }
    }
  });

  it("is an error if the registry requires a login, limits the rate or is unreachable", async () => {
    for (const [answer, code] of [
      [(_, response) => refuse(response, 401, "UNAUTHORIZED"), "MOTE_UNAUTHORIZED"],
      [(_, response) => refuse(response, 429, "TOOMANYREQUESTS"), "MOTE_RATE_LIMITED"],
      [(_, response) => response.socket?.destroy(), "MOTE_UNREACHABLE"],
    ] as [Handler, string][]) {
      const { destination } = await open(onHead(answer));
      expect(await codeOf(destination.has(layer))).toBe(code);
    }
  });
});

describe("HEAD of a manifest", () => {
  it("finds it by its digest, from HEAD or GET", async () => {
    const answers: Handler[] = [
      (_, response) => response.writeHead(200).end(),
      (_, response) => response.writeHead(200, { "docker-content-digest": digestBytes(bytes, "sha512") }).end(),
      (_, response) => response.writeHead(200, { "docker-content-digest": "none" }).end(),
      (_, response) => response.writeHead(405).end(),
      (_, response) => response.writeHead(501).end(),
    ];
    for (const answer of answers) {
      const { registry, destination } = await open(onHead(answer));
      expect(await destination.has(image.manifest)).toBe(false);
      registry.manifests.set(image.manifest.digest, { type: mediaTypes.ociManifest, bytes: image.manifestBytes });
      expect(await destination.has(image.manifest)).toBe(true);
    }
  });
});
