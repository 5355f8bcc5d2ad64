import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { Agent, get, type IncomingMessage, request } from "node:http";
import { connect } from "node:net";
import { type Digest, MemoryTagStore, MoteError } from "@mote/core";
import { freePort } from "@mote/testbed";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { MemorySource, putInRepository } from "../test/memory-source.js";
import { type RegistryServer, type ServedRequest, type ServeOptions, serve } from "./index.js";

const blobBytes = 8 * 1024 * 1024;

let source: MemorySource;
let tags: MemoryTagStore;
let running: RegistryServer[];
let served: ServedRequest[];

beforeEach(() => {
  source = new MemorySource();
  tags = new MemoryTagStore();
  source.chunkBytes = 64 * 1024;
  running = [];
  served = [];
});

afterEach(async () => {
  await Promise.all(running.map((server) => server.close()));
});

async function start(options: Partial<ServeOptions> = {}): Promise<RegistryServer> {
  const server = await serve({
    source,
    tags,
    port: await freePort(),
    onRequest: (one) => served.push(one),
    ...options,
  });
  running.push(server);
  return server;
}

async function putBlob(bytes = new Uint8Array(blobBytes).map((_, at) => at % 251)): Promise<Digest> {
  const digest = source.put(bytes);
  await putInRepository(source, tags, "a", digest);
  return digest;
}

async function responseTo(url: string, agent?: Agent): Promise<IncomingMessage> {
  const [response] = await once(get(url, agent === undefined ? {} : { agent }), "response");
  return response;
}

async function lengthOf(response: IncomingMessage): Promise<number> {
  let length = 0;
  for await (const chunk of response) length += chunk.length;
  return length;
}

/** Waits until a condition is true. */
async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await new Promise((resolve) => setImmediate(resolve));
}

describe("a server", () => {
  it("listens on a free port of the loopback address", async () => {
    const server = await start();
    expect(server.host).toBe("127.0.0.1");
    expect(server.port).toBeGreaterThan(0);
    expect(server.url).toBe(`http://127.0.0.1:${server.port}`);
    expect((await responseTo(`${server.url}/v2/`)).statusCode).toBe(200);
  });

  it("reports each request with the bytes that were sent", async () => {
    const digest = await putBlob();
    const { url } = await start();
    await lengthOf(await responseTo(`${url}/v2/a/blobs/${digest}?x=1`));
    await lengthOf(await responseTo(`${url}/nothing`));
    await until(() => served.length === 2);
    expect(served[0]).toEqual({
      method: "GET",
      path: `/v2/a/blobs/${digest}?x=1`,
      status: 200,
      bytesSent: blobBytes,
      durationMs: expect.any(Number),
      complete: true,
      client: "127.0.0.1",
      userAgent: undefined,
      facts: {},
      isHit: true,
    });
    expect(served[1]).toMatchObject({ status: 404, complete: true });
  });

  it("sends no byte of a body for HEAD", async () => {
    const digest = await putBlob();
    const { url } = await start();
    const [response] = await once(request(`${url}/v2/a/blobs/${digest}`, { method: "HEAD" }).end(), "response");
    expect(response.headers["content-length"]).toBe(String(blobBytes));
    expect(await lengthOf(response)).toBe(0);
    await until(() => served.length === 1);
    expect(served[0]).toMatchObject({ bytesSent: 0, complete: true });
  });

  it("resets the connection if a blob is damaged, so that the client detects it", async () => {
    const digest = await putBlob();
    const bytes = source.bytesOf(digest);
    if (bytes !== undefined) bytes[blobBytes - 1] = 255;
    const { url } = await start();
    const response = await responseTo(`${url}/v2/a/blobs/${digest}`);
    await expect(lengthOf(response)).rejects.toHaveProperty("code", "ECONNRESET");
    await until(() => served.length === 1);
    expect(served[0]).toMatchObject({ complete: false });
    expect(served[0]?.bytesSent).toBeLessThan(blobBytes);
    expect(source.openReaders).toBe(0);
  });

  it("reads as fast as the client, and closes the reader when the client disconnects", async () => {
    // More than the socket buffers of a loopback connection.
    const bytes = new Uint8Array(64 * 1024 * 1024);
    const digest = await putBlob(bytes);
    let chunks = 0;
    source.beforeChunk = async () => {
      chunks++;
    };
    const { url } = await start();
    const response = await responseTo(`${url}/v2/a/blobs/${digest}`);
    response.pause();
    let before = -1;
    await until(() => {
      const isStill = chunks > 0 && chunks === before;
      before = chunks;
      return isStill;
    });
    expect(chunks).toBeLessThan(bytes.byteLength / source.chunkBytes);
    response.destroy();
    await until(() => source.openReaders === 0);
    await until(() => served.length === 1);
    expect(served[0]).toMatchObject({ complete: false });
  });

  it("sends each chunk before the reader uses its memory again", async () => {
    const bytes = randomBytes(500_000);
    const digest = await putBlob(bytes);
    Object.assign(source, { chunkBytes: 1000, reusesMemory: true });
    const { url } = await start();
    const received: Uint8Array[] = [];
    for await (const chunk of await responseTo(`${url}/v2/a/blobs/${digest}`)) received.push(chunk);
    expect(Buffer.concat(received).equals(bytes)).toBe(true);
  });

  it("reports a client that disconnected before the response", async () => {
    const digest = await putBlob();
    let askedFor = (): void => {};
    const asked = new Promise<void>((resolve) => {
      askedFor = resolve;
    });
    const { url } = await start({
      source: Object.assign(source, {
        find: (_: Digest, options: { readonly signal?: AbortSignal }) => {
          askedFor();
          return new Promise((_, reject) => {
            options.signal?.addEventListener("abort", () => reject(options.signal?.reason));
          });
        },
      }),
    });
    const client = get(`${url}/v2/a/blobs/${digest}`);
    client.on("error", () => {});
    await asked;
    client.destroy();
    await until(() => served.length === 1);
    expect(served[0]).toMatchObject({ status: 0, bytesSent: 0, complete: false });
  });

  it("responds to an invalid request line and continues", async () => {
    const server = await start();
    const socket = connect(server.port, server.host);
    socket.end("GET http:// HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    const [answer] = await once(socket, "data");
    expect(String(answer)).toMatch(/^HTTP\/1.1 400 /);
    expect((await responseTo(`${server.url}/v2/`)).statusCode).toBe(200);
  });

  it("does not read the body of a rejected upload", async () => {
    const { url } = await start();
    const upload = request(`${url}/v2/a/blobs/uploads/`, {
      method: "POST",
      headers: { "content-length": "1000000000" },
    });
    upload.on("error", () => {});
    upload.flushHeaders();
    const [response] = await once(upload, "response");
    expect(response.statusCode).toBe(405);
    expect(response.headers.connection).toBe("close");
    upload.destroy();
  });

  it("lets a client that sends a body get the response before the connection is closed", async () => {
    const server = await start();
    const socket = connect(server.port, server.host);
    const bytes = 8 * 1024 * 1024;
    socket.write(`PUT /v2/a/manifests/1 HTTP/1.1\r\nhost: ${server.host}\r\ncontent-length: ${bytes}\r\n\r\n`);
    const [response] = await once(socket, "data");
    expect(String(response)).toMatch(/^HTTP\/1.1 405 /);
    // Fails if the server has closed the connection, or closes it with unread bytes.
    for (let sent = 0; sent < bytes; sent += 1024 * 1024) {
      await new Promise<void>((resolve, reject) =>
        socket.write(new Uint8Array(1024 * 1024), (error) => (error ? reject(error) : resolve())),
      );
    }
    socket.resume();
    await once(socket, "end");
  });

  it("continues if onRequest throws", async () => {
    const { url } = await start({
      onRequest: () => {
        throw new Error("error of the caller");
      },
    });
    expect((await responseTo(`${url}/v2/`)).statusCode).toBe(200);
    expect((await responseTo(`${url}/v2/`)).statusCode).toBe(200);
  });
});

describe("closing", () => {
  it("closes idle connections immediately, also those without any request", async () => {
    const server = await start({ graceMs: 3_600_000 });
    const agent = new Agent({ keepAlive: true });
    await lengthOf(await responseTo(`${server.url}/v2/`, agent));
    const silent = connect(server.port, server.host);
    await once(silent, "connect");
    // Once a later connection has a response, the server has accepted the silent one.
    await lengthOf(await responseTo(`${server.url}/v2/`));
    await server.close();
    agent.destroy();
    silent.destroy();
  });

  it("waits for in-flight requests", async () => {
    const digest = await putBlob();
    const server = await start({ graceMs: 3_600_000 });
    const agent = new Agent({ keepAlive: true });
    const response = await responseTo(`${server.url}/v2/a/blobs/${digest}`, agent);
    const closed = server.close();
    expect(await lengthOf(response)).toBe(blobBytes);
    await closed;
    agent.destroy();
    await expect(responseTo(`${server.url}/v2/`)).rejects.toHaveProperty("code", "ECONNREFUSED");
  });

  it("waits for them no longer than graceMs", async () => {
    const digest = await putBlob();
    const server = await start({ graceMs: 1 });
    const response = await responseTo(`${server.url}/v2/a/blobs/${digest}`);
    response.pause();
    await server.close();
    await expect(lengthOf(response)).rejects.toHaveProperty("code", "ECONNRESET");
    await until(() => source.openReaders === 0);
  });

  it("can be repeated, and disposal closes", async () => {
    const server = await start();
    await Promise.all([server.close(), server.close()]);
    await server[Symbol.asyncDispose]();
  });

  it("happens when the signal is aborted", async () => {
    const controller = new AbortController();
    const server = await start({ signal: controller.signal });
    controller.abort();
    await server.close();
    await expect(responseTo(`${server.url}/v2/`)).rejects.toHaveProperty("code", "ECONNREFUSED");
  });
});

describe("a server that cannot listen", () => {
  it("rejects with a code, and a reason in the details", async () => {
    const { port } = await start();
    for (const [options, reason] of [
      [{ port }, "EADDRINUSE"],
      [{ host: "192.0.2.1" }, "EADDRNOTAVAIL"],
      [{ port: 65536 }, "ERR_SOCKET_BAD_PORT"],
    ] as const) {
      const error = await start(options).catch((caught: unknown) => caught);
      expect(MoteError.isInstance(error) && error.code).toBe("MOTE_LISTEN");
      expect(error).toHaveProperty("details.reason", reason);
    }
  });

  it("rejects with the reason of an aborted signal", async () => {
    const reason = new Error("aborted");
    await expect(start({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });
});
