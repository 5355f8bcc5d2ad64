import { randomBytes } from "node:crypto";
import { createServer, type RequestListener } from "node:http";
import { createServer as createTlsServer, type ServerOptions } from "node:https";
import { createServer as createTcpServer, type Server, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { needs } from "@mote/testbed";
import { afterEach, describe, expect, it } from "vitest";
import { makeCertificate } from "../../test/certificate.js";
import { listen } from "../../test/counted-server.js";
import { DirectTransport } from "./direct-transport.js";
import type { HttpResponse, TransportOptions } from "./http-transport.js";

const wanted = needs("openssl");
const open: { close(): unknown }[] = [];
const content = randomBytes(3_000_000);

afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each.close();
});

async function start(server: Server) {
  const started = await listen(server);
  open.push(started);
  return started;
}

async function serve(listener: RequestListener, tls?: ServerOptions): Promise<{ server: Server; url: URL }> {
  const { server, host } = await start(tls ? createTlsServer(tls, listener) : createServer(listener));
  return { server, url: new URL(`${tls ? "https" : "http"}://${host}/blob?a=b`) };
}

/** Starts a server that sends `head` and `body` after the first bytes of a request. */
async function say(head: string, body: Uint8Array): Promise<URL> {
  const server = createTcpServer((socket) => {
    socket.on("error", () => {}).once("data", () => socket.write(Buffer.concat([Buffer.from(head), body])));
  });
  return new URL(`http://${(await start(server)).host}/`);
}

function transport(options: Partial<TransportOptions> = {}): DirectTransport {
  const made = new DirectTransport({ tls: {}, connectTimeoutMs: 10_000, idleTimeoutMs: 10_000, ...options });
  open.push(made);
  return made;
}

const ask = (direct: DirectTransport, url: URL, signal?: AbortSignal, headers = {}) =>
  direct.exchange({ method: "GET", url, headers, bulk: true, signal });

async function read(answer: HttpResponse): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of answer.body) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function block(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

describe("spare connections", () => {
  it("are opened with the first request, and used by later ones", async () => {
    const { server, url } = await serve((_request, response) => response.end("content"));
    let connections = 0;
    const four = new Promise<void>((resolve) => {
      server.on("connection", () => {
        if (++connections === 4) resolve();
      });
    });
    const direct = transport();
    await read(await direct.exchange({ method: "GET", url, headers: {}, bulk: true, spares: 3 }));
    await four;
    const bodies = await Promise.all([1, 2, 3, 4].map(async () => read(await ask(direct, url))));
    expect(bodies.map(String)).toEqual(["content", "content", "content", "content"]);
    await read(await direct.exchange({ method: "GET", url, headers: {}, bulk: true, spares: 3 }));
    expect(connections).toBe(4);
  });

  it("that the host closes are replaced", async () => {
    const sockets: Socket[] = [];
    const { server, url } = await serve((_request, response) => response.end("content"));
    const two = new Promise<void>((resolve) => {
      server.on("connection", (socket) => {
        if (sockets.push(socket) === 2) resolve();
      });
    });
    const direct = transport();
    await read(await direct.exchange({ method: "GET", url, headers: {}, bulk: true, spares: 1 }));
    await two;
    for (const socket of sockets) socket.destroy();
    const bodies = await Promise.all([1, 2].map(async () => read(await ask(direct, url))));
    expect(bodies.map(String)).toEqual(["content", "content"]);
  });
});

describe("a long body", () => {
  it("is read into long buffers, however many connections rest", async () => {
    const long = Buffer.alloc(40 * 1024 * 1024);
    const { server, url } = await serve(({ url: path }, response) => response.end(path === "/long" ? long : "short"));
    const four = new Promise<void>((resolve) => {
      let connections = 0;
      server.on("connection", () => {
        if (++connections === 4) resolve();
      });
    });
    const direct = transport();
    await read(await direct.exchange({ method: "GET", url, headers: {}, bulk: true, spares: 3 }));
    await four;
    for (let time = 0; time < 2; time++) {
      const answer = await direct.exchange({
        method: "GET",
        url: new URL("/long", url),
        headers: {},
        bulk: true,
        reuse: true,
      });
      let longest = 0;
      for await (const { buffer } of answer.body) longest = Math.max(longest, buffer.byteLength);
      expect(longest).toBe(2 * 1024 * 1024);
    }
  });

  it("is read unchanged, one after the other on one connection, with the headers of the request", async () => {
    const seen: unknown[] = [];
    const { server, url } = await serve((request, response) => {
      seen.push([request.url, request.headers.host, request.headers.range]);
      response.writeHead(200, { "content-length": content.byteLength }).end(content);
    });
    let connections = 0;
    server.on("connection", () => connections++);
    const direct = transport();
    for (let time = 0; time < 3; time++) {
      const answer = await ask(direct, url, undefined, { range: "bytes=0-" });
      expect((await read(answer)).equals(content)).toBe(true);
    }
    expect(connections).toBe(1);
    expect(seen).toEqual(Array(3).fill(["/blob?a=b", url.host, "bytes=0-"]));
  });

  it("does not change chunks that were read", async () => {
    const { url } = await serve((_request, response) => {
      response.writeHead(200, { "content-length": content.byteLength });
      for (let at = 0; at < content.byteLength; at += 1000) response.write(content.subarray(at, at + 1000));
      response.end();
    });
    expect((await read(await ask(transport(), url))).equals(content)).toBe(true);
  });

  it("does not change a chunk before the next is read, with reuse", async () => {
    const { server, url } = await serve((_request, response) => {
      response.writeHead(200, { "content-length": content.byteLength }).end(content);
    });
    let connections = 0;
    server.on("connection", () => connections++);
    const direct = transport();
    const kept: Uint8Array[] = [];
    const memories = new Set<ArrayBufferLike>();
    for (let time = 0; time < 6; time++) {
      const reuse = time % 3 !== 0;
      const answer = await direct.exchange({ method: "GET", url, headers: {}, bulk: true, reuse });
      let at = 0;
      for await (const chunk of answer.body) {
        // Meanwhile, more bytes arrive until the buffers are full.
        for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
        expect(content.subarray(at, at + chunk.byteLength).equals(chunk)).toBe(true);
        at += chunk.byteLength;
        if (reuse) memories.add(chunk.buffer);
        else kept.push(chunk);
      }
      expect(at).toBe(content.byteLength);
    }
    expect(connections).toBe(1);
    expect(Buffer.concat(kept).equals(Buffer.concat([content, content]))).toBe(true);
    expect(memories.size * 512 * 1024).toBeLessThan(4 * content.byteLength);
  });

  it.skipIf(wanted !== "")(
    `comes over TLS, from a host whose authority is trusted, and from no other${wanted}`,
    async () => {
      const identity = makeCertificate("registry");
      const { url } = await serve((_request, response) => {
        response.writeHead(200, { "content-length": content.byteLength }).end(content);
      }, identity);
      const trusting = transport({ tls: { ca: [identity.cert] } });
      expect((await read(await ask(trusting, url))).equals(content)).toBe(true);
      await expect(ask(transport(), url)).rejects.toThrow();
    },
  );

  it("with chunked coding is read by node:http from the same response, and so are later ones", async () => {
    let [connections, requests] = [0, 0];
    const { server, url } = await serve((_request, response) => {
      requests++;
      response.setHeader("trailer", "x-sum");
      for (let at = 0, size = 1; at < content.byteLength; at += size, size = (size * 3) % 70_001) {
        response.write(content.subarray(at, at + size));
      }
      response.addTrailers({ "x-sum": "1" });
      response.end();
    });
    server.on("connection", () => connections++);
    const direct = transport();
    for (let time = 0; time < 3; time++) expect((await read(await ask(direct, url))).equals(content)).toBe(true);
    // The first connection ends with its response; the agent of node:http keeps its own alive.
    expect([connections, requests]).toEqual([2, 3]);
  });

  it.each([
    ["no number", "zz\r\nhello\r\n0\r\n\r\n"],
    ["a sign", "+5\r\nhello\r\n0\r\n\r\n"],
    ["less than it has", "4\r\nhello\r\n0\r\n\r\n"],
  ])("in chunks, of which one has %s, ends in an error", async (_what, body) => {
    const url = await say("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", Buffer.from(body));
    await expect(read(await ask(transport(), url))).rejects.toMatchObject({ code: "ECONNRESET" });
  });

  it("in chunks with trailers that are too long ends there, even if the host continues", async () => {
    const { host } = await start(
      createTcpServer((socket) => {
        const proceed = () => {
          if (socket.write("x: y\r\n".repeat(100))) setImmediate(proceed);
        };
        socket.on("error", () => {}).on("drain", proceed);
        socket.once("data", () => {
          socket.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n");
          proceed();
        });
      }),
    );
    const answer = await ask(transport(), new URL(`http://${host}/`));
    await expect(read(answer)).rejects.toMatchObject({ code: "ECONNRESET" });
  });

  it("without a length is read by node:http to the end of the connection, from the same response", async () => {
    let requests = 0;
    const { host } = await start(
      createTcpServer((socket) => {
        socket
          .on("error", () => {})
          .once("data", () => {
            requests++;
            socket.end("HTTP/1.1 200 OK\r\n\r\nhello");
          });
      }),
    );
    expect((await read(await ask(transport(), new URL(`http://${host}/`)))).toString()).toBe("hello");
    expect(requests).toBe(1);
  });

  it("that is shorter or longer than its length is an error", async () => {
    const early = await serve((_request, response) => {
      response.writeHead(200, { "content-length": content.byteLength }).write(content.subarray(0, 1000));
      setImmediate(() => response.destroy());
    });
    await expect(read(await ask(transport(), early.url))).rejects.toMatchObject({ code: "ECONNRESET" });
    const direct = transport();
    const more = await say("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n", Buffer.from("helloHTTP/1.1 200 evil"));
    for (let time = 0; time < 2; time++) expect((await read(await ask(direct, more))).toString()).toBe("hello");
  });

  it.each([
    ["of known length", { "content-length": content.byteLength }],
    ["in chunks", { "transfer-encoding": "chunked" }],
  ])("%s is a timeout if the host goes silent, and not if the reader is slow", async (_what, headers) => {
    const idleTimeoutMs = 250;
    const silent = await serve((_request, response) => {
      response.writeHead(200, headers).write(content.subarray(0, 1000));
    });
    const waiting = await ask(transport({ idleTimeoutMs }), silent.url);
    await expect(read(waiting)).rejects.toMatchObject({ code: "ETIMEDOUT" });
    const { url } = await serve((_request, response) => {
      response.writeHead(200, headers).end(content);
    });
    const answer = await ask(transport({ idleTimeoutMs }), url);
    await delay(5 * idleTimeoutMs);
    expect((await read(answer)).byteLength).toBe(content.byteLength);
  });
});

it.each([
  ["redirect with a short body", "307 Moved\r\nlocation: /there", 100, 1],
  ["error with a short body", "404 Not Found", 100, 1],
  ["error with a long body", "404 Not Found", 100_000, 3],
])("the connection of a discarded %s is used again, unless it is long", async (_what, status, bytes, connections) => {
  let opened = 0;
  const answer = Buffer.concat([
    Buffer.from(`HTTP/1.1 ${status}\r\ncontent-length: ${bytes}\r\n\r\n`),
    content.subarray(0, bytes),
  ]);
  const server = createTcpServer((socket) => {
    opened++;
    socket.on("error", () => {}).on("data", () => socket.write(answer));
  });
  const url = new URL(`http://${(await start(server)).host}/`);
  const direct = transport();
  for (let time = 0; time < 3; time++) {
    (await ask(direct, url)).discard();
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(opened).toBe(connections);
});

describe("a small body", () => {
  const small = content.subarray(0, 20_000);
  const head = { "content-length": small.byteLength };

  it("is read at once, even if it arrives in pieces, and the connection is used again", async () => {
    const { server, url } = await serve((_, response) => {
      response.writeHead(200, head).write(small.subarray(0, 7), () => response.end(small.subarray(7)));
    });
    let connections = 0;
    server.on("connection", () => connections++);
    const direct = transport();
    const bodies: (Uint8Array | undefined)[] = [];
    // More than one buffer holds: a body that lies in two is read as a stream.
    for (let at = 0; at < 40; at++) {
      const response = await ask(direct, url);
      bodies.push((await response.complete?.(10_000)) ?? (await read(response)));
    }
    expect(bodies.every((body) => body !== undefined && small.equals(body))).toBe(true);
    expect(connections).toBe(1);
  });

  it("that is late is read as a stream, from its first byte", async () => {
    let sendRest = () => {};
    const { url } = await serve((_, response) => {
      response.writeHead(200, head).write(small.subarray(0, 7));
      sendRest = () => response.end(small.subarray(7));
    });
    const response = await ask(transport(), url);
    expect(await response.complete?.(1)).toBeUndefined();
    sendRest();
    expect(small.equals(await read(response))).toBe(true);
  });

  it("that is interrupted is read as a stream, which fails after the bytes that arrived", async () => {
    const { url } = await serve((_, response) => {
      response.writeHead(200, head).write(small.subarray(0, 7), () => response.destroy());
    });
    const response = await ask(transport(), url);
    expect(await response.complete?.(10_000)).toBeUndefined();
    let bytes = 0;
    const reading = async () => {
      for await (const chunk of response.body) bytes += chunk.byteLength;
    };
    await expect(reading()).rejects.toMatchObject({ code: "ECONNRESET" });
    expect(bytes).toBe(7);
  });

  it("of more than 64 KiB is only read as a stream", async () => {
    const { url } = await serve((_, response) => response.end(content.subarray(0, 64 * 1024 + 1)));
    const response = await ask(transport(), url);
    expect(response.complete).toBeUndefined();
    response.discard();
  });
});

it("a host is not considered silent because this process was busy", async () => {
  const { url } = await serve((_request, response) => {
    block(600);
    response.writeHead(200, { "content-length": "5" }).end("hello");
  });
  expect((await read(await ask(transport({ idleTimeoutMs: 250 }), url))).toString()).toBe("hello");
});

it("a kept-alive connection that is closed when it is used again is replaced", async () => {
  const seen = new WeakSet<Socket>();
  const { url } = await serve((request, response) => {
    if (seen.has(request.socket)) return void request.socket.destroy();
    seen.add(request.socket);
    response.writeHead(200, { "content-length": "5" }).end("hello");
  });
  const direct = transport();
  for (let time = 0; time < 3; time++) expect((await read(await ask(direct, url))).toString()).toBe("hello");
});

it("an abort ends waiting for a response and reading a body, with the reason of the signal", async () => {
  const { url } = await serve((request, response) => {
    if (request.url === "/body") response.writeHead(200, { "content-length": "10" }).write("half");
  });
  for (const path of ["/answer", "/body"]) {
    const controller = new AbortController();
    const reason = new Error("enough");
    const exchanging = ask(transport(), new URL(path, url), controller.signal).then(async (answer) => {
      for await (const _ of answer.body) controller.abort(reason);
    });
    if (path === "/answer") controller.abort(reason);
    await expect(exchanging).rejects.toBe(reason);
  }
});

it("a header with a line break is rejected before anything is sent", async () => {
  let requests = 0;
  const { url } = await serve((_request, response) => {
    requests++;
    response.end();
  });
  await expect(ask(transport(), url, undefined, { range: "a\r\nx: b" })).rejects.toThrow(TypeError);
  expect(requests).toBe(0);
});

it("an endless response head is rejected", async () => {
  const url = await say(`HTTP/1.1 200 OK\r\n${"x: y\r\n".repeat(10_000)}`, Buffer.alloc(0));
  await expect(ask(transport(), url)).rejects.toMatchObject({ code: "HPE_HEADER_OVERFLOW" });
});
