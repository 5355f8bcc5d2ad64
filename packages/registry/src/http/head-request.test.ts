import { createServer } from "node:http";
import { createServer as createTcpServer, type Server } from "node:net";
import { afterEach, expect, it } from "vitest";
import { listen } from "../../test/counted-server.js";
import { DirectTransport } from "./direct-transport.js";
import type { HttpResponse } from "./http-transport.js";

const open: { close(): unknown }[] = [];

afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each.close();
});

async function start(server: Server) {
  const started = await listen(server);
  open.push(started);
  return { url: new URL(`http://${started.host}/v2/a/manifests/1`), sockets: started.sockets };
}

function transport(): DirectTransport {
  const made = new DirectTransport({ tls: {}, connectTimeoutMs: 10_000, idleTimeoutMs: 10_000 });
  open.push(made);
  return made;
}

const ask = (direct: DirectTransport, method: "GET" | "HEAD", url: URL) =>
  direct.exchange({ method, url, headers: {}, bulk: true });

async function read({ body }: HttpResponse): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

it.each([
  ["with a length", 200, { "content-length": "5" }],
  ["in chunks", 200, { "transfer-encoding": "chunked" }],
  ["without a length", 200, {}],
  ["of a missing manifest", 404, { "content-length": "5" }],
  ["without content", 204, {}],
])("a HEAD of a response %s has no body, and its connection is used for the GET", async (_what, status, headers) => {
  const methods: (string | undefined)[] = [];
  const { url, sockets } = await start(
    createServer((request, response) => {
      methods.push(request.method);
      if (request.method === "HEAD") response.writeHead(status, { etag: '"x"', ...headers }).end();
      else response.writeHead(200, { "content-length": "5" }).end("hello");
    }),
  );
  const direct = transport();
  const head = await ask(direct, "HEAD", url);
  expect(head).toMatchObject({ status });
  expect(head.header("etag")).toBe('"x"');
  expect(head.header("content-length")).toBe((headers as Record<string, string>)["content-length"]);
  expect(await read(head)).toBe("");
  expect(await read(await ask(direct, "GET", url))).toBe("hello");
  expect(methods).toEqual(["HEAD", "GET"]);
  expect(sockets.size).toBe(1);
});

it("the connection of a HEAD whose response has a body is not used again", async () => {
  const { url, sockets } = await start(
    createTcpServer((socket) => {
      socket
        .on("error", () => {})
        .on("data", (bytes) => {
          const isHead = bytes.toString("latin1").startsWith("HEAD");
          socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${isHead ? 4 : 5}\r\n\r\n${isHead ? "evil" : "hello"}`);
        });
    }),
  );
  const direct = transport();
  for (let time = 0; time < 3; time++) {
    (await ask(direct, "HEAD", url)).discard();
    await new Promise((resolve) => setImmediate(resolve));
    expect(await read(await ask(direct, "GET", url))).toBe("hello");
  }
  expect(sockets.size).toBeGreaterThan(1);
});

it("a HEAD whose head only node:http can parse is parsed by it, from the same response", async () => {
  let requests = 0;
  const { url } = await start(
    createTcpServer((socket) => {
      socket
        .on("error", () => {})
        .on("data", () => {
          requests++;
          socket.end('HTTP/1.0 200 OK\r\netag: "x"\r\ncontent-length: 5\r\n\r\n');
        });
    }),
  );
  const head = await ask(transport(), "HEAD", url);
  expect(head.header("etag")).toBe('"x"');
  expect(await read(head)).toBe("");
  expect(requests).toBe(1);
});
