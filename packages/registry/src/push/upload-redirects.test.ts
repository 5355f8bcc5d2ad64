import { randomBytes } from "node:crypto";
import { type Descriptor, digestBytes, mediaTypes } from "@mote/core";
import { afterEach, describe, expect, it } from "vitest";
import { type Intercept, refuse } from "../../test/fake-registry.js";
import { makeImage } from "../../test/image.js";
import { codeOf, sameBytes } from "../../test/outcome.js";
import { type Handler, serve } from "../../test/server.js";
import { serveUploads, type UploadServer } from "../../test/upload-server.js";
import { RegistryClient, type RegistryClientOptions } from "../client.js";
import { RegistryDestination } from "./destination.js";

const bytes = new Uint8Array(randomBytes(100_000));
const blob: Descriptor = { mediaType: mediaTypes.octetStream, digest: digestBytes(bytes), size: bytes.byteLength };
const credentials = { get: async () => ({ kind: "password", username: "ann", password: "s3cret" }) as const };

const opened: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one[Symbol.asyncDispose]();
});

async function* chunked() {
  for (let at = 0; at < bytes.byteLength; at += 7000) yield bytes.subarray(at, at + 7000);
}

async function uploads(intercept?: (server: UploadServer) => Intercept): Promise<UploadServer> {
  const server = await serveUploads(intercept);
  opened.push(server);
  return server;
}

function destinationAt(registry: string, chunkBytes: number, options: RegistryClientOptions = {}) {
  const client = new RegistryClient({ retryDelayMs: 1, credentials, headers: { "x-secret": "s3cret" }, ...options });
  opened.push(client);
  return new RegistryDestination(client, { registry, repository: "a/b" }, { chunkBytes });
}

/** Returns whether the request is authenticated, and challenges it if not. */
function knows(...[request, response]: Parameters<Handler>): boolean {
  if (request.headers.authorization !== undefined) return true;
  request.resume();
  refuse(response, 401, "UNAUTHORIZED", { "www-authenticate": "Basic realm=x" });
  return false;
}

const secretsSeen = (server: UploadServer) => JSON.stringify(server.seen).match(/authorization|s3cret/i);

describe("an upload that is redirected", () => {
  it("to another origin is sent there with its bytes, without credentials and the registry's headers", async () => {
    for (const [status, chunkBytes] of [
      [307, blob.size],
      [308, blob.size],
      [307, 30_000],
      [308, 30_000],
    ] as const) {
      const storage = await uploads();
      const home = await serve((request, response) => {
        if (!knows(request, response)) return;
        request.resume();
        response.writeHead(status, { location: `http://${storage.host}${request.url}` }).end();
      });
      opened.push(home);
      await destinationAt(home.host, chunkBytes).blob(blob, chunked());
      expect(sameBytes(bytes, storage.blobs.get(blob.digest))).toBe(true);
      expect(secretsSeen(storage)).toBeNull();
      // The target of the redirect has returned the next location.
      expect(home.seen.map(({ method }) => method)).toEqual(["POST", "POST"]);
    }
  });

  it("at each request continues with the remaining bytes, and keeps credentials within the origin", async () => {
    const home = await uploads(() => (request, response) => {
      if (!knows(request, response)) return true;
      if (request.url?.includes("moved")) return false;
      request.resume();
      const query = request.url?.includes("?") ? "&" : "?";
      response.writeHead(307, { location: `${request.url}${query}moved=1` }).end();
      return true;
    });
    await destinationAt(home.host, 30_000).blob(blob, chunked());
    expect(sameBytes(bytes, home.blobs.get(blob.digest))).toBe(true);
    expect(home.seen.filter(({ headers }) => headers["x-secret"] !== "s3cret")).toEqual([]);
  });

  it("to another origin and back to the registry is sent without credentials", async () => {
    const home = await uploads(({ sessions }) => (request, response) => {
      if (request.method !== "POST" || !knows(request, response)) return false;
      request.resume();
      sessions.set("/v2/a/b/blobs/uploads/back", new Uint8Array());
      response.writeHead(307, { location: `http://${other.host}/` }).end();
      return true;
    });
    const other = await uploads(() => (request, response) => {
      request.resume();
      response.writeHead(202, { location: `http://${home.host}/v2/a/b/blobs/uploads/back` }).end();
      return true;
    });
    await destinationAt(home.host, 30_000).blob(blob, chunked());
    const after = home.seen.filter(({ method }) => method !== "POST");
    expect(after.map(({ headers }) => headers.authorization ?? headers["x-secret"])).toEqual(
      after.map(() => undefined),
    );
    expect(after.length).toBeGreaterThan(1);
  });

  it("fails in a circle, by a status that allows a change to GET, or as a stream", async () => {
    for (const status of [301, 302, 303, 307]) {
      const home = await serve((request, response) => {
        request.resume();
        response.writeHead(status, { location: request.url ?? "" }).end();
      });
      opened.push(home);
      expect(await codeOf(destinationAt(home.host, blob.size).blob(blob, chunked()))).toBe("MOTE_REGISTRY");
      expect(home.count("GET")).toBe(0);
      expect(home.seen.length).toBeLessThanOrEqual(6);
    }
    const streaming = await uploads(() => (request, response) => {
      if (request.method === "PATCH") refuse(response, 405, "UNSUPPORTED");
      else if (request.method === "PUT") response.writeHead(307, { location: request.url ?? "" }).end();
      else return false;
      request.resume();
      return true;
    });
    expect(await codeOf(destinationAt(streaming.host, 30_000).blob(blob, chunked()))).toBe("MOTE_REGISTRY");
  });
});

it("a manifest follows the redirect of its registry", async () => {
  const image = makeImage(10);
  const came: [string | undefined, Buffer][] = [];
  const storage = await serve(async (request, response) => {
    if (request.method !== "PUT") return response.writeHead(404).end();
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part);
    came.push([request.headers["content-type"], Buffer.concat(parts)]);
    return response.writeHead(201).end();
  });
  const home = await serve((request, response) => {
    request.resume();
    response.writeHead(307, { location: `http://${storage.host}/elsewhere` }).end();
  });
  opened.push(storage, home);
  await destinationAt(home.host, blob.size).manifest(image.manifest, image.manifestBytes);
  expect(came).toEqual([[image.manifest.mediaType, Buffer.from(image.manifestBytes)]]);
});
