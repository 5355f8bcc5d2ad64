import { once } from "node:events";
import { Agent, get, type IncomingMessage } from "node:http";
import { type Digest, MemoryTagStore, MoteError } from "@mote/core";
import { freePort } from "@mote/testbed";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { MemorySource, putInRepository } from "../../test/memory-source.js";
import { type RegistryServer, type ServedRequest, type ServeOptions, serve } from "../index.js";

const blobBytes = 64 * 1024 * 1024;

let source: MemorySource;
let tags: MemoryTagStore;
let digest: Digest;
let running: RegistryServer[];
let served: ServedRequest[];

beforeEach(async () => {
  source = new MemorySource();
  tags = new MemoryTagStore();
  source.chunkBytes = 64 * 1024;
  digest = source.put(new Uint8Array(blobBytes));
  await putInRepository(source, tags, "a", digest);
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
    graceMs: 3_600_000,
    onRequest: (one) => served.push(one),
    ...options,
  });
  running.push(server);
  return server;
}

async function request(url: string, options: object = {}): Promise<IncomingMessage> {
  const [response] = await once(get(url, options), "response");
  return response;
}

async function read(response: IncomingMessage): Promise<[status: number | undefined, body: string]> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of response) chunks.push(chunk);
  return [response.statusCode, Buffer.concat(chunks).toString()];
}

const deniesAll = { decide: async () => ({ kind: "denied" as const }) };

describe("the health of a server", () => {
  it("is told without a login and whatever the limit", async () => {
    const { url } = await start({ access: deniesAll, clientLimit: { requests: 1 } });
    expect((await read(await request(`${url}/v2/`)))[0]).toBe(403);
    expect(await read(await request(`${url}/livez`))).toEqual([200, '{"status":"live"}']);
    expect(await read(await request(`${url}/readyz`))).toEqual([200, '{"status":"ready"}']);
    expect(await read(await request(`${url}/readyz?verbose`))).toEqual([200, '{"status":"ready"}']);
    expect((await read(await request(`${url}/readyz/more`)))[0]).toBe(403);
    expect(await read(await request(`${url}/readyz`, { method: "HEAD" }))).toEqual([200, ""]);
    expect((await read(await request(`${url}/readyz`, { method: "POST" })))[0]).toBe(403);
  });

  it("is not ready with the reason why the cache cannot be read, but live", async () => {
    const { url } = await start();
    vi.spyOn(source, "moteExists").mockRejectedValue(new MoteError("MOTE_IO", "/secret/path: input/output error"));
    expect(await read(await request(`${url}/readyz`))).toEqual([
      503,
      '{"status":"not ready","reason":"the cache cannot be read: MOTE_IO"}',
    ]);
    expect((await request(`${url}/livez`)).statusCode).toBe(200);
  });
});

describe("a drain", () => {
  it("lets transfers end, rejects other requests, and is not ready meanwhile", async () => {
    const server = await start();
    const agent = new Agent({ keepAlive: true });
    const transfer = await request(`${server.url}/v2/a/blobs/${digest}`, { agent });
    const drained = server.drain();
    const late = await request(`${server.url}/v2/`);
    expect([late.statusCode, late.headers["retry-after"], late.headers.connection]).toEqual([503, "5", "close"]);
    expect(await read(await request(`${server.url}/readyz`))).toEqual([
      503,
      '{"status":"not ready","reason":"the server is stopping"}',
    ]);
    expect((await request(`${server.url}/livez`)).statusCode).toBe(200);
    expect((await read(transfer))[1].length).toBe(blobBytes);
    await drained;
    agent.destroy();
    await expect(request(`${server.url}/livez`)).rejects.toHaveProperty("code", "ECONNREFUSED");
  });

  it("ends at once without transfers, although connections are open", async () => {
    const server = await start();
    const agent = new Agent({ keepAlive: true });
    await read(await request(`${server.url}/v2/`, { agent }));
    await Promise.all([server.drain(), server.drain()]);
    agent.destroy();
  });

  it("ends transfers that take longer than graceMs", async () => {
    const server = await start({ graceMs: 1 });
    const transfer = await request(`${server.url}/v2/a/blobs/${digest}`);
    transfer.pause();
    await server.drain();
    await expect(read(transfer)).rejects.toHaveProperty("code", "ECONNRESET");
    expect(source.openReaders).toBe(0);
  });
});

describe("the limit of a client", () => {
  it("is 429 for one with too many requests, and does not concern others", async () => {
    const { url } = await start({ clientLimit: { requests: 2 } });
    const slow = await Promise.all([1, 2].map(() => request(`${url}/v2/a/blobs/${digest}`)));
    for (const response of slow) response.pause();
    const rejected = await request(`${url}/v2/`);
    expect([rejected.statusCode, rejected.headers["retry-after"]]).toEqual([429, "1"]);
    expect((await request(`${url}/v2/`, { localAddress: "127.0.0.2" })).statusCode).toBe(200);
    slow[0]?.destroy();
    await vi.waitUntil(() => served.some(({ complete }) => !complete), { timeout: 30_000 });
    expect((await request(`${url}/v2/`)).statusCode).toBe(200);
    slow[1]?.destroy();
  });

  it("paces bodies, and other clients get theirs at once", async () => {
    const { url } = await start({ clientLimit: { requests: 9, bytesPerSecond: 64 * 1024 } });
    const paced = await request(`${url}/v2/a/blobs/${digest}`);
    await once(paced, "readable");
    const small = source.put(new Uint8Array(1024));
    await putInRepository(source, tags, "b", small);
    const other = await request(`${url}/v2/b/blobs/${small}`, { localAddress: "127.0.0.2" });
    expect((await read(other))[1].length).toBe(1024);
    await expect.poll(() => source.openReaders).toBe(1);
    paced.destroy();
    await vi.waitUntil(() => source.openReaders === 0, { timeout: 30_000 });
  });
});
