import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { type Digest, digestBytes, MemoryTagStore } from "@mote/core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type RegistryServer, type ServedRequest, type ServeOptions, serve } from "../src/index.js";
import { defaultMaxConnections, maxRejectedConnections } from "../src/listening/connections.js";
import { printableTarget } from "../src/routing/request-target.js";
import { MemorySource, putInRepository } from "./memory-source.js";

let source: MemorySource;
let tags: MemoryTagStore;
let running: RegistryServer[];
let sockets: Socket[];
let served: ServedRequest[];
let blob: Digest;

beforeEach(async () => {
  source = new MemorySource();
  source.chunkBytes = 64 * 1024;
  tags = new MemoryTagStore();
  running = [];
  sockets = [];
  served = [];
  blob = source.put(new TextEncoder().encode("0123456789"));
  await putInRepository(source, tags, "a", blob);
});

afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  await Promise.all(running.map((server) => server.close()));
});

async function start(options: Partial<ServeOptions> = {}): Promise<RegistryServer> {
  const server = await serve({ source, tags, onRequest: (one) => served.push(one), ...options });
  running.push(server);
  return server;
}

function open({ port }: RegistryServer): Socket {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {});
  sockets.push(socket);
  return socket;
}

/** Returns everything that the server sends until it closes the connection. */
async function answersTo(server: RegistryServer, bytes: string | Buffer): Promise<string> {
  const socket = open(server);
  socket.write(typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes);
  let answer = "";
  socket.on("data", (chunk) => {
    answer += chunk.toString("latin1");
  });
  await new Promise<void>((resolve) => socket.once("close", () => resolve()));
  return answer;
}

const request = (line: string, more = "") => `${line} HTTP/1.1\r\nhost: localhost\r\n${more}connection: close\r\n\r\n`;
const statuses = (answer: string) => [...answer.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => Number(status));
const statusOf = async (server: RegistryServer, line: string, more = "") =>
  statuses(await answersTo(server, request(line, more)))[0];

async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await new Promise((resolve) => setImmediate(resolve));
}

describe("a path", () => {
  it.each([
    ["/v2/a/../a/manifests/1", 400],
    ["/v2/a/%2e%2e/a/manifests/1", 400],
    ["/v2/a/%2E./a/manifests/1", 400],
    ["/v2/./a/manifests/1", 400],
    ["/v2/a%2fb/manifests/1", 400],
    ["/v2/a%5cb/manifests/1", 400],
    ["/v2/a\\b/manifests/1", 400],
    ["/v2/a%00/manifests/1", 400],
    ["/v2/a/manifests/%00", 400],
    ["/v2/a/manifests/1%0d%0ax:y", 400],
    ["/v2/%252e%252e/manifests/1", 400],
    ["/v2/a%252fb/manifests/1", 400],
    ["/v2/a/manifests/%ff", 400],
    ["/v2/a/manifests/%", 400],
    ["/v2/a/manifests/1#x", 400],
    ["//v2/a/manifests/1", 404],
    ["/v2//a/manifests/1", 400],
    ["/v2/a/manifests/", 404],
    ["/v2/a/manifests/..%c0%af", 400],
    ["/v2/A/manifests/1", 400],
    ["/v2/a/blobs/sha256:../../etc/passwd", 400],
    ["/v2/a/blobs/sha256:%2e%2e", 400],
    ["/v2/_catalog/x", 404],
    ["/index.html", 404],
    ["/v2/x?".padEnd(9000, "y"), 414],
    [`/v2/${"a/".repeat(3000)}manifests/1`, 400],
  ])("such as %s gets %i, and nothing is read", async (path, status) => {
    source.opened.length = 0;
    expect(await statusOf(await start(), `GET ${path}`)).toBe(status);
    expect(source.opened).toEqual([]);
  });

  it("that exceeds the head limit is rejected by Node", async () => {
    expect(await statusOf(await start(), `GET /v2/${"a".repeat(100_000)}`)).toBe(431);
  });

  it("is reported with unprintable characters encoded", () => {
    expect(printableTarget("/v2/\x9b31m\xe9\x1b[0m/x?\x7f\u202e= ~%41")).toBe(
      "/v2/%9B31m%E9%1B[0m/x?%7F%E2%80%AE=%20~%41",
    );
  });
});

describe("a header", () => {
  it.each([
    ["a range with a huge start", `range: bytes=${"9".repeat(5000)}-`, 416],
    ["a range with a huge end", `range: bytes=0-${"9".repeat(5000)}`, 206],
    ["a huge suffix range", `range: bytes=-${"9".repeat(5000)}`, 206],
    ["thousands of ranges", `range: bytes=${"0-0,".repeat(3000)}0-0`, 200],
    ["overlapping ranges", "range: bytes=0-,0-,0-,0-", 200],
    ["a negative range", "range: bytes=--1", 200],
    ["a range with a sign", "range: bytes=+1-2", 200],
    ["a range in hexadecimal", "range: bytes=0x1-0x2", 200],
    ["two Range headers", "range: bytes=0-1\r\nrange: bytes=2-3", 200],
    ["a condition with thousands of tags", `if-none-match: ${'"x",'.repeat(3500)}"y"`, 200],
    ["an unterminated condition", `if-none-match: ${'"'.repeat(15_000)}`, 200],
    ["a head that is too long", `if-none-match: ${'"x",'.repeat(15_000)}"y"`, 431],
  ])("with %s gets a response", async (_, header, status) => {
    expect(await statusOf(await start(), `GET /v2/a/blobs/${blob}`, `${header}\r\n`)).toBe(status);
  });
});

describe("a page", () => {
  it.each([
    ["n=-1", 400],
    ["n=NaN", 400],
    ["n=", 400],
    ["n=1e3", 400],
    ["n=0x1", 400],
    ["n=1.5", 400],
    ["n=%00", 400],
    [`n=${"9".repeat(500)}`, 200],
    ["n=0", 200],
    ["n=1&n=-1", 200],
    ["last=%00%ff%0d%0a", 200],
    [`last=${"z".repeat(7000)}`, 200],
    ["n=1&last=..%2f..%2f", 200],
    ["%=%&&&=", 200],
  ])("for %s gets %i", async (query, status) => {
    const server = await start();
    expect(await statusOf(server, `GET /v2/a/tags/list?${query}`)).toBe(status);
    expect(await statusOf(server, `GET /v2/_catalog?${query}`)).toBe(status);
  });
});

describe("a request", () => {
  it.each([
    ["with two Content-Length headers", "content-length: 1\r\ncontent-length: 2\r\n"],
    ["with Content-Length and chunks", "content-length: 5\r\ntransfer-encoding: chunked\r\n"],
    ["with two Transfer-Encoding headers", "transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n"],
    ["with an unknown transfer coding", "transfer-encoding: xchunked\r\n"],
    ["with a space before a colon", "content-length : 5\r\n"],
    ["with a folded header", "x: y\r\n z: w\r\n"],
    ["with a negative length", "content-length: -1\r\n"],
    ["with a NUL in a header", "x: a\0b\r\n"],
  ])("%s closes the connection, and what follows is not a request", async (_, headers) => {
    const hidden = `GET /v2/_catalog HTTP/1.1\r\nhost: localhost\r\n\r\n`;
    const answer = await answersTo(await start(), request("GET /v2/", headers) + hidden);
    expect(statuses(answer)).toEqual([400]);
    expect(answer).not.toContain("repositories");
  });

  it("with a body gets a response, and the body is not parsed as a request", async () => {
    const server = await start();
    const hidden = `GET /v2/_catalog HTTP/1.1\r\nhost: localhost\r\n\r\n`;
    const head = `GET /v2/ HTTP/1.1\r\nhost: localhost\r\ncontent-length: ${hidden.length}\r\n\r\n`;
    const answer = await answersTo(server, `${head}${hidden}`);
    expect(statuses(answer)).toEqual([200]);
    expect(answer.toLowerCase()).toContain("connection: close");
    const large = `GET /v2/ HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000000000\r\n\r\n`;
    expect(statuses(await answersTo(server, large))).toEqual([200]);
    const expecting = `PUT /v2/a/manifests/1 HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue\r\ncontent-length: 9\r\n\r\n`;
    expect(statuses(await answersTo(server, expecting))).toEqual([405]);
  });

  it("of HTTP/1.0 gets a response, and its connection is closed", async () => {
    const line = `GET /v2/a/blobs/${blob} HTTP/1.0\r\nhost: localhost\r\n\r\n`;
    expect(await answersTo(await start(), line)).toMatch(/^HTTP\/1\.1 200 [\s\S]*0123456789$/);
  });

  it("to upgrade the protocol or to connect to a host is rejected", async () => {
    const server = await start();
    expect(await statusOf(server, "GET /v2/", "upgrade: h2c\r\n")).toBe(200);
    expect(
      statuses(await answersTo(server, "CONNECT evil.example:443 HTTP/1.1\r\nhost: evil.example\r\n\r\n")),
    ).toEqual([]);
    expect(await statusOf(server, "TRACE /v2/")).toBe(405);
  });

  it("is handled after previous requests on its connection", async () => {
    const server = await start();
    let most = 0;
    source.beforeChunk = async () => {
      most = Math.max(most, source.openReaders);
    };
    const ahead = `GET /v2/a/blobs/${blob} HTTP/1.1\r\nhost: localhost\r\n\r\n`.repeat(50);
    const answer = await answersTo(server, ahead + request("GET /v2/nothing"));
    expect(statuses(answer)).toEqual([...Array(50).fill(200), 404]);
    expect(most).toBe(1);
  });

  it("is the last one on a connection with too many pipelined requests", async () => {
    const server = await start();
    const ahead = `GET /v2/a/blobs/${blob} HTTP/1.1\r\nhost: localhost\r\n\r\n`.repeat(2000);
    expect(statuses(await answersTo(server, ahead)).length).toBeLessThanOrEqual(100);
    await until(() => source.openReaders === 0);
    expect(await statusOf(server, "GET /v2/")).toBe(200);
  });
});

describe("a client that reads nothing", () => {
  const put = async (bytes: number) => {
    const digest = source.put(new Uint8Array(bytes));
    await putInRepository(source, tags, "a", digest);
    return digest;
  };
  it("is disconnected, and its readers are closed", async () => {
    // More than the socket buffers of a client that does not read.
    const large = await put(64 * 1024 * 1024);
    const server = await start({ writeTimeoutMs: 3_000 });
    const clients = Array.from({ length: 5 }, () => {
      const client = open(server);
      client.pause();
      client.write(request(`GET /v2/a/blobs/${large}`));
      return client;
    });
    await until(() => served.length === clients.length);
    for (const one of served) expect(one).toMatchObject({ status: 200, complete: false });
    await until(() => source.openReaders === 0);
  });

  it("is distinguished from slow clients and clients of a slow server", async () => {
    const largeBytes = 8 * 1024 * 1024;
    const large = await put(largeBytes);
    const server = await start({ writeTimeoutMs: 600 });
    let chunks = 0;
    source.beforeChunk = async () => {
      if (++chunks === 3) await new Promise((resolve) => setTimeout(resolve, 1500));
    };
    expect(await answersTo(server, request(`GET /v2/a/blobs/${blob}`))).toContain("0123456789");
    const answer = await answersTo(server, request(`GET /v2/a/blobs/${large}`));
    expect(answer.length).toBeGreaterThan(largeBytes);
    await until(() => served.length === 2);
    expect(served.every(({ complete }) => complete)).toBe(true);
  });
});

describe("more connections than the limit", () => {
  it.each([64, 128, 256, 1024, 65_536])("leave a descriptor for one more if %i files may be open", (openFiles) => {
    const ownFiles = 24;
    expect(defaultMaxConnections(openFiles) + maxRejectedConnections(openFiles) + ownFiles).toBeLessThan(openFiles);
  });

  const head = "GET /v2/ HTTP/1.1\r\nhost: localhost\r\n\r\n";

  it("are rejected with Retry-After, and accepted when one is free", async () => {
    const server = await start({ maxConnections: 2 });
    const [first, second] = [open(server), open(server)];
    for (const socket of [first, second]) {
      socket.write(head);
      await once(socket, "data");
    }
    const refused = await answersTo(server, head);
    expect(statuses(refused)).toEqual([503]);
    expect(refused).toMatch(/retry-after: 5/i);
    expect(refused).toContain("TOOMANYREQUESTS");
    first.destroy();
    await until(() => first.closed);
    let status: number | undefined;
    while (status !== 200) status = await statusOf(server, "GET /v2/");
    second.write(head);
    expect(String(await once(second, "data"))).toContain("200 OK");
  });

  it("are closed without a response if there are too many", async () => {
    const server = await start({ maxConnections: 1 });
    const held = open(server);
    held.write(head);
    await once(held, "data");
    const crowd = Array.from({ length: 150 }, () => open(server));
    await until(() => crowd.filter(({ closed }) => closed).length === 50);
    held.write(head);
    expect(String(await once(held, "data"))).toContain("200 OK");
  });
});

it("keep-alive is longer than that of proxies, and the head timeout is longer still", async () => {
  const server = await start();
  const socket = open(server);
  socket.write("GET /v2/ HTTP/1.1\r\nhost: localhost\r\n\r\n");
  const [bytes] = await once(socket, "data");
  expect(Number(/keep-alive: timeout=(\d+)/i.exec(String(bytes))?.[1])).toBeGreaterThanOrEqual(90);
});

it("media types of artifacts are sent only if browsers cannot execute them", async () => {
  const page = source.putManifest({ html: "<script>" });
  for (const [at, mediaType] of ["text/html", "application/x\r\nx: y", "image/svg+xml", "x".repeat(5000)].entries()) {
    await tags.tag(`a:page-${at}`, { ...page, mediaType });
    const answer = await answersTo(await start(), request(`GET /v2/a/manifests/page-${at}`));
    expect(answer).toMatch(/content-type: application\/octet-stream\r\n/i);
    expect(answer).toMatch(/x-content-type-options: nosniff/i);
  }
});

it("a missing digest gets the same response for all methods and headers", async () => {
  const server = await start();
  const absent = digestBytes(new Uint8Array([9]));
  for (const kind of ["blobs", "manifests"]) {
    expect(await statusOf(server, `HEAD /v2/a/${kind}/${absent}`)).toBe(404);
    expect(await statusOf(server, `GET /v2/a/${kind}/${absent}`, "range: bytes=0-\r\nif-none-match: *\r\n")).toBe(404);
  }
});
