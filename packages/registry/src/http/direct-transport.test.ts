import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import type { Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, expect, it } from "vitest";
import { listen } from "../../test/counted-server.js";
import { DirectTransport } from "./direct-transport.js";
import type { HttpResponse } from "./http-transport.js";

const open: { close(): unknown }[] = [];

afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each.close();
});

async function serve(listener: RequestListener): Promise<{ server: Server; url: URL }> {
  const started = await listen(createServer(listener));
  open.push(started);
  return { server: started.server, url: new URL(`http://${started.host}/`) };
}

function transport({ idleTimeoutMs = 10_000 } = {}): DirectTransport {
  const made = new DirectTransport({ tls: {}, connectTimeoutMs: 10_000, idleTimeoutMs });
  open.push(made);
  return made;
}

async function read(answer: HttpResponse): Promise<number> {
  let bytes = 0;
  for await (const chunk of answer.body) bytes += chunk.byteLength;
  return bytes;
}

function block(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

it("a kept-alive connection that is closed when it is used again is replaced only for reads", async () => {
  const seen = new WeakSet<Socket>();
  let connections = 0;
  const { server, url } = await serve((request, response) => {
    if (seen.has(request.socket)) return void request.socket.destroy();
    seen.add(request.socket);
    response.end("hello");
  });
  server.on("connection", () => connections++);
  const direct = transport();
  const ask = async (method: "GET" | "PUT") => read(await direct.exchange({ method, url, headers: {} }));
  expect(await ask("GET")).toBe(5);
  expect(await ask("GET")).toBe(5);
  expect(connections).toBe(2);
  await expect(ask("PUT")).rejects.toMatchObject({ code: "ECONNRESET" });
});

it("a slow reader is not considered a silent host", async () => {
  const size = 8 * 1024 * 1024;
  const { url } = await serve((_request, response) => response.end(Buffer.alloc(size)));
  const idleTimeoutMs = 250;
  const answer = await transport({ idleTimeoutMs }).exchange({ method: "GET", url, headers: {} });
  await delay(5 * idleTimeoutMs);
  expect(await read(answer)).toBe(size);
});

it("a host is not considered silent because this process was busy", async () => {
  const { url } = await serve((_request, response) => {
    block(600);
    response.writeHead(200, { "content-length": "5" }).end("hello");
  });
  expect(await read(await transport({ idleTimeoutMs: 250 }).exchange({ method: "GET", url, headers: {} }))).toBe(5);
});

it("a host that goes silent in the middle of a body is a timeout", async () => {
  const { url } = await serve((_request, response) => {
    response.writeHead(200, { "content-length": "10" }).write("half");
  });
  const answer = await transport({ idleTimeoutMs: 250 }).exchange({ method: "GET", url, headers: {} });
  await expect(read(answer)).rejects.toMatchObject({ code: "ETIMEDOUT" });
});

it("consecutive requests share a connection, after a head and after a body", async () => {
  let connections = 0;
  const { server, url } = await serve((_request, response) => {
    response.writeHead(200, { "content-length": "5" }).end("hello");
  });
  server.on("connection", () => connections++);
  const direct = transport();
  for (const method of ["HEAD", "GET", "HEAD", "GET", "GET"] as const) {
    const answer = await direct.exchange({ method, url, headers: {} });
    if (method === "GET") await read(answer);
  }
  expect(connections).toBe(1);
});

it("a connection is kept after a small unread rest, and not after a large one", async () => {
  let connections = 0;
  const { server, url } = await serve((request, response) => {
    response.end(Buffer.alloc(request.url === "/small" ? 1000 : 50_000_000));
  });
  server.on("connection", () => connections++);
  const direct = transport();
  const ask = (path: string) => direct.exchange({ method: "GET", url: new URL(path, url), headers: {} });
  (await ask("/small")).discard();
  const askAgain = async () => {
    const before = connections;
    await read(await ask("/small"));
    return connections - before;
  };
  await expect.poll(askAgain).toBe(0);
  const socket = once(server, "request").then(([request]): Socket => request.socket);
  const large = await ask("/large");
  const connection = await socket;
  large.discard();
  await expect.poll(() => connection.destroyed).toBe(true);
});

it("an error response before the complete body was sent stops sending", async () => {
  const { url } = await serve((_request, response) => {
    response.writeHead(413, { "content-length": "2" }).end("no");
  });
  let left = false;
  const endless = async function* () {
    try {
      for (;;) yield new Uint8Array(65_536);
    } finally {
      left = true;
    }
  };
  const answer = await transport().exchange({ method: "PUT", url, headers: {}, body: endless() });
  expect([answer.status, await read(answer)]).toEqual([413, 2]);
  await expect.poll(() => left).toBe(true);
});

it("an abort ends waiting for a response and reading a body, with the reason of the signal", async () => {
  const { url } = await serve((request, response) => {
    if (request.url === "/body") response.writeHead(200, { "content-length": "10" }).write("half");
  });
  for (const path of ["/answer", "/body"]) {
    const controller = new AbortController();
    const reason = new Error("enough");
    const exchanging = transport()
      .exchange({ method: "GET", url: new URL(path, url), headers: {}, signal: controller.signal })
      .then(async (answer) => {
        for await (const _ of answer.body) controller.abort(reason);
      });
    if (path === "/answer") controller.abort(reason);
    await expect(exchanging).rejects.toBe(reason);
  }
});
