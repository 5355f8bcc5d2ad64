import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { listenOnLoopback } from "@mote/testbed";
import { afterEach, describe, expect, it } from "vitest";
import { refuse, sendRange, serveImage } from "../../test/fake-registry.js";
import { makeImage } from "../../test/image.js";
import { codeOf, read, sameBytes } from "../../test/outcome.js";
import { RegistryClient, type RegistryClientOptions } from "../client.js";
import { RegistryRepository } from "../pull/repository.js";
import { RegistryDestination } from "../push/destination.js";

const image = makeImage(5000, 2_000_000);
const [small = image.config, large = image.config] = image.layers;
const bytesOf = (digest: string) => image.blobs.get(digest) ?? new Uint8Array();
const slow = { idleTimeoutMs: 300, connectTimeoutMs: 300, retries: 1 };

const opened: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one[Symbol.asyncDispose]();
});

function repositoryAt(host: string, options: RegistryClientOptions = {}) {
  const client = new RegistryClient({ retryDelayMs: 1, ...slow, ...options });
  opened.push(client);
  return new RegistryRepository(client, { registry: host, repository: "a/b" });
}

/** Sends single bytes slowly, as long as the client waits. */
async function drip(socket: { write(text: string): unknown; readonly destroyed: boolean }): Promise<void> {
  while (!socket.destroyed) {
    socket.write("x");
    await sleep(20);
  }
}

const dripBody = (response: ServerResponse, headers: Record<string, string | number>) => {
  response.writeHead(200, headers);
  void drip(response);
  return true;
};

/** Starts a TCP server that responds to each connection with `answer`. */
async function serveRaw(answer: (socket: Socket) => void): Promise<string> {
  const server = createServer((socket) => {
    socket.on("error", () => {}).once("data", () => answer(socket));
    opened.push({ [Symbol.asyncDispose]: async () => void socket.destroy() });
  });
  const host = await listenOnLoopback(server);
  opened.push({ [Symbol.asyncDispose]: async () => void server.close() });
  return host;
}

describe("a host that sends single bytes slowly", () => {
  it("is aborted in a blob, which continues at the same byte if the host is faster then", async () => {
    // A small blob is also read at once, if its reader verifies it.
    const cases = [small, large].flatMap((layer) => [true, false].map((verifyOnRead) => ({ layer, verifyOnRead })));
    for (const { layer, verifyOnRead } of cases) {
      let asked = 0;
      const slowAtFirst = await serveImage(image, (request, response) => {
        if (!request.url?.endsWith(layer.digest) || ++asked > 1) return false;
        const bytes = bytesOf(layer.digest);
        response.writeHead(200, { "content-length": bytes.byteLength, etag: `"${layer.digest}"` });
        response.write(bytes.subarray(0, 1000));
        void dripBytes(response, bytes.subarray(1000));
        return true;
      });
      opened.push(slowAtFirst);
      const blob = await repositoryAt(slowAtFirst.host).blob(layer, { verifyOnRead });
      expect(sameBytes(await read(blob), bytesOf(layer.digest))).toBe(true);
      expect(slowAtFirst.seen.at(-1)?.headers.range).toMatch(/^bytes=1\d\d\d-\d+$/);
    }
  });

  it("is a timeout if it repeats that for a blob, a manifest or a token", async () => {
    const dripping = await serveImage(image, (request: IncomingMessage, response) => {
      if (request.method === "HEAD") return false;
      const type = request.url?.includes("manifests") ? image.manifest.mediaType : "application/octet-stream";
      const size = request.url?.includes("manifests") ? image.manifest.size : large.size;
      return dripBody(response, { "content-type": type, "content-length": size });
    });
    opened.push(dripping);
    const wantsToken = await serveImage(image, (_, response) => {
      const challenge = `Bearer realm="http://${dripping.host}/token"`;
      return refuse(response, 401, "UNAUTHORIZED", { "www-authenticate": challenge }) === undefined;
    });
    opened.push(wantsToken);
    const repository = repositoryAt(dripping.host);
    expect(await codeOf(repository.manifest(image.manifest))).toBe("MOTE_TIMEOUT");
    expect(await codeOf(repository.blob(large).then(read))).toBe("MOTE_TIMEOUT");
    expect(await codeOf(repositoryAt(wantsToken.host).resolve("v1"))).toBe("MOTE_TIMEOUT");
  });

  it("is a timeout in the response head, in the length of a chunk, and after the last chunk too", async () => {
    const head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-type: application/octet-stream\r\n\r\n";
    for (const said of ["HTTP/1.1 200 OK\r\nx-slow: ", `${head}1;`, `${head}0\r\nx-slow: `]) {
      const host = await serveRaw((socket) => {
        socket.write(said);
        void drip(socket);
      });
      for (const layer of [small, large]) {
        const repository = repositoryAt(host, { retries: 0 });
        expect([said, await codeOf(repository.blob(layer).then(read))]).toEqual([said, "MOTE_TIMEOUT"]);
      }
      // The HEAD request of another client.
      if (!said.startsWith(head)) {
        expect(await codeOf(repositoryAt(host, { retries: 0 }).resolve("v1"))).toBe("MOTE_TIMEOUT");
      }
    }
  });

  it("is accepted at a normal rate or without an idle timeout", async () => {
    const { server, upload } = await uploads();
    for (const options of [{ minBytesPerSecond: 0.001 }, { idleTimeoutMs: 0 }, { idleTimeoutMs: 1e12 }]) {
      await upload(options);
      const repository = repositoryAt(server.host, options);
      expect((await repository.manifest(image.manifest)).byteLength).toBe(image.manifest.size);
    }
  });

  it("is allowed with a minimum rate of 0, and a slow reader is not a slow host", async () => {
    const server = await serveImage(image, (request, response) => {
      if (!request.url?.endsWith(small.digest)) return false;
      response.writeHead(200, { "content-length": small.size });
      void dripBytes(response, bytesOf(small.digest), 250);
      return true;
    });
    opened.push(server);
    const unbounded = repositoryAt(server.host, { minBytesPerSecond: 0, retries: 0 });
    expect(sameBytes(await read(await unbounded.blob(small)), bytesOf(small.digest))).toBe(true);
    const whole = await serveImage(image, (request, response) => {
      if (request.url?.endsWith(large.digest)) sendRange(request, response, bytesOf(large.digest));
      return request.url?.endsWith(large.digest) ?? false;
    });
    opened.push(whole);
    const parts: Uint8Array[] = [];
    // Long enough that a busy machine is not considered silent.
    for await (const part of await repositoryAt(whole.host, { retries: 0, idleTimeoutMs: 1500 }).blob(large)) {
      parts.push(part);
      await sleep(1000);
    }
    expect(sameBytes(Buffer.concat(parts), bytesOf(large.digest))).toBe(true);
  });
});

/** A registry that is slow to accept manifests. */
async function uploads() {
  const server = await serveImage(image, async (request, response) => {
    if (request.method !== "PUT") return false;
    request.resume();
    await sleep(50);
    response.writeHead(201).end();
    return true;
  });
  opened.push(server);
  const upload = async (options: RegistryClientOptions) => {
    const client = new RegistryClient({ retries: 0, ...options });
    opened.push(client);
    const destination = new RegistryDestination(client, { registry: server.host, repository: "a/b" });
    await destination.manifest(image.manifest, image.manifestBytes);
  };
  return { server, upload };
}

async function dripBytes(response: ServerResponse, bytes: Uint8Array, atOnce = 1): Promise<void> {
  for (let at = 0; at < bytes.byteLength && !response.destroyed; at += atOnce) {
    response.write(bytes.subarray(at, at + atOnce));
    await sleep(20);
  }
  response.end();
}
