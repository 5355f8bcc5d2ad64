import { once } from "node:events";
import { connect } from "node:net";
import { MemoryTagStore } from "@mote/core";
import { afterEach, describe, expect, it } from "vitest";
import { MemorySource } from "../../test/memory-source.js";
import { type RegistryServer, type ServeOptions, serve } from "../index.js";

const running: RegistryServer[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.close()));
});

/** Returns the status for a raw request, after checking the headers of the response. */
async function statusOf(options: Partial<ServeOptions>, head: string): Promise<number> {
  const server = await serve({ source: new MemorySource(), tags: new MemoryTagStore(), ...options });
  running.push(server);
  const socket = connect(server.port, "127.0.0.1");
  socket.end(`${head}\r\nconnection: close\r\n\r\n`, "latin1");
  let answer = "";
  socket.on("data", (bytes) => {
    answer += bytes;
  });
  await once(socket, "close");
  expect(answer).not.toMatch(/access-control|evil/i);
  return Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1]);
}

const get = (host: string) => `GET /v2/ HTTP/1.1\r\nHost: ${host}`;

describe("a server on loopback responds to", () => {
  it.each([
    "localhost",
    "LocalHost",
    "localhost.",
    "localhost:5000",
    "localhost:",
    "127.0.0.1",
    "127.0.0.1:1",
    "10.1.2.3",
    "[::1]",
    "[::1]:5000",
    "[::FFFF:127.0.0.1]",
  ])("%s", async (host) => {
    expect(await statusOf({}, get(host))).toBe(200);
  });
});

describe("a server on loopback rejects", () => {
  it.each([
    ["evil.example", 421],
    ["EVIL.example:80", 421],
    ["evil.example.", 421],
    ["localhost.evil.example", 421],
    ["127.0.0.1.evil.example", 421],
    ["evil-localhost", 421],
    ["2130706433", 421],
    ["0x7f.1", 421],
    ["127.1", 421],
    ["", 421],
    ["localhost..", 400],
    ["evil@localhost", 400],
    ["localhost@evil.example", 400],
    ["localhost:80@evil.example", 400],
    ["localhost:99999", 400],
    ["localhost:5000:1", 400],
    ["localhost/evil", 400],
    ["localhost#evil", 400],
    ["localhost, evil.example", 400],
    ["localhost evil.example", 400],
    ["::1", 400],
    ["[::1", 400],
    ["[evil.example]", 400],
    ["[fe80::1%25eth0]", 400],
    ["lo\u00e7alhost", 400],
    ["%6cocalhost", 400],
  ])("%j with %i", async (host, status) => {
    expect(await statusOf({}, get(host))).toBe(status);
  });

  it.each([
    ["no host", "GET /v2/ HTTP/1.1\r\nAccept: */*", 400],
    ["no host in HTTP/1.0", "GET /v2/ HTTP/1.0\r\nAccept: */*", 421],
    ["two hosts", `${get("localhost")}\r\nhost: evil.example`, 400],
    ["the same host twice", `${get("localhost")}\r\nhost: localhost`, 400],
    ["another host in an absolute target", "GET http://evil.example/v2/ HTTP/1.1\r\nHost: localhost", 421],
    ["another host beside an absolute target", "GET http://localhost/v2/ HTTP/1.1\r\nHost: evil.example", 421],
    ["a user in an absolute target", "GET http://localhost@evil.example/v2/ HTTP/1.1\r\nHost: localhost", 400],
    ["a target without a host", "GET http:///v2/ HTTP/1.1\r\nHost: localhost", 400],
    ["a target with another scheme", "GET ftp://localhost/v2/ HTTP/1.1\r\nHost: localhost", 400],
    ["a target that other parsers treat as a host", "GET //evil.example/v2/ HTTP/1.1\r\nHost: localhost", 404],
    ["more header fields than the limit", `${get("localhost")}${"\r\na:b".repeat(200)}\r\nhost: evil.example`, 431],
  ])("%s", async (_, head, status) => {
    expect(await statusOf({}, head)).toBe(status);
  });
});

describe("a server", () => {
  it("treats an absolute target with its own host like the path", async () => {
    const source = new MemorySource();
    expect(await statusOf({ source }, "GET http://LOCALHOST:5000/v2/ HTTP/1.1\r\nHost: localhost")).toBe(200);
    expect(await statusOf({ source }, "GET http://localhost?x HTTP/1.1\r\nHost: localhost")).toBe(200);
  });

  it("sends no CORS headers to any origin", async () => {
    expect(await statusOf({}, `${get("localhost")}\r\nOrigin: http://evil.example`)).toBe(200);
    const preflight = "OPTIONS /v2/ HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.example";
    expect(await statusOf({}, `${preflight}\r\nAccess-Control-Request-Method: GET`)).toBe(405);
  });

  it("beyond loopback responds to any host", async () => {
    const host = "0.0.0.0";
    for (const name of ["evil.example", "mirror.lan:5000", ""]) {
      expect((await statusOf({ host }, get(name).replace("evil", "any"))) === 200).toBe(true);
    }
    expect(await statusOf({ host }, "GET /v2/ HTTP/1.0\r\nAccept: */*")).toBe(200);
    expect(await statusOf({ host }, get("a@b"))).toBe(400);
  });

  it("with allowed hosts responds to those, IP addresses and localhost", async () => {
    const allowHosts = ["Mirror.lan.", "other.lan:5000"];
    for (const host of ["127.0.0.1", "0.0.0.0"]) {
      for (const [name, status] of [
        ["mirror.lan", 200],
        ["MIRROR.LAN:80", 200],
        ["other.lan:5000", 200],
        ["other.lan", 421],
        ["other.lan:80", 421],
        ["sub.mirror.lan", 421],
        ["mirror.lan.example", 421],
        ["10.0.0.1:5000", 200],
        ["localhost", 200],
        ["", 421],
      ] as const) {
        expect([host, name, await statusOf({ host, allowHosts }, get(name))]).toEqual([host, name, status]);
      }
    }
  });

  it.each([["http://mirror.lan"], ["a@b"], [""], ["*"], ["a/b"]])("rejects %j as an allowed host", async (host) => {
    await expect(serve({ source: new MemorySource(), tags: new MemoryTagStore(), allowHosts: [host] })).rejects.toThrow(
      TypeError,
    );
  });
});
