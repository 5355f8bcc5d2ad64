import { once } from "node:events";
import fs from "node:fs";
import { connect, type Socket } from "node:net";
import { digestBytes } from "@mote/core";
import { FileCache } from "@mote/fs";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { Access, RegistryServer } from "../src/index.js";
import { cache, folder, pushImage, request, start } from "./push-setup.js";

const bytes = new Uint8Array(300_000).fill(7);
const digest = digestBytes(bytes);
const sockets: Socket[] = [];
afterEach(() => {
  vi.restoreAllMocks();
  for (const socket of sockets.splice(0)) socket.destroy();
});

/** A client that sends what it is told, and collects what it gets. */
function open({ port }: RegistryServer) {
  const socket = connect(port, "127.0.0.1");
  sockets.push(socket);
  let answer = "";
  socket.on("error", () => {});
  socket.on("data", (chunk) => {
    answer += chunk.toString("latin1");
  });
  return {
    socket,
    until: async (text: string) => {
      while (!answer.includes(text)) await once(socket, "data");
      return answer;
    },
    closed: async () => {
      if (!socket.destroyed) await once(socket, "close");
      return answer;
    },
  };
}

const head = (line: string, ...headers: string[]) =>
  `${[`${line} HTTP/1.1`, "host: localhost", ...headers].join("\r\n")}\r\n\r\n`;

async function begin(server: RegistryServer): Promise<string> {
  const { headers } = await request(server, "POST", "/v2/team/app/blobs/uploads/");
  return headers.get("location") ?? "";
}

/** Waits until the upload has this many bytes, and no request writes to it. */
async function untilOffset(server: RegistryServer, location: string, end: number): Promise<void> {
  const free = async () => {
    const { status } = await request(server, "PATCH", location, { headers: { "content-range": "9999999-10000000" } });
    return status === 416;
  };
  for (;;) {
    const { headers } = await request(server, "GET", location);
    if (headers.get("range") === `0-${end - 1}` && (await free())) return;
  }
}

const finish = (server: RegistryServer, location: string, from: number) =>
  request(server, "PUT", `${location}?digest=${digest}`, {
    body: bytes.subarray(from),
    headers: { "content-range": `${from}-${bytes.byteLength - 1}` },
  });

const uploads = () => fs.readdirSync(`${folder}/.mote/uploads`).filter((name) => name !== "format.json");

describe("a client that pushes", () => {
  it("and is cut off continues where it was, also after a restart of the server", async () => {
    const server = await start();
    const location = await begin(server);
    const { socket } = open(server);
    socket.write(head(`PATCH ${location}`, `content-length: ${bytes.byteLength}`));
    socket.write(bytes.subarray(0, 100_000));
    const progress = async () => (await request(server, "GET", location)).headers.get("range");
    while ((await progress()) !== "0-99999");
    socket.destroy();
    await untilOffset(server, location, 100_000);
    await server.close();
    const again = new FileCache(folder);
    const restarted = await start({ source: again, tags: again.tags, push: again });
    expect((await finish(restarted, location, 100_000)).status).toBe(201);
    expect((await request(restarted, "GET", `/v2/team/app/blobs/${digest}`)).status).toBe(200);
  });

  it("and is cut off in a push of one request leaves nothing", async () => {
    const server = await start();
    const { socket } = open(server);
    const write = vi.spyOn(fs, "write");
    socket.write(head(`POST /v2/team/app/blobs/uploads/?digest=${digest}`, "content-length: 300000"));
    socket.write(bytes.subarray(0, 200_000));
    await vi.waitFor(() => expect(write).toHaveBeenCalled(), { timeout: 30_000 });
    socket.destroy();
    await vi.waitFor(() => expect(fs.readdirSync(`${folder}/.mote/ingest`)).toEqual([]), { timeout: 30_000 });
    expect(await cache.moteExists(digest)).toBe(false);
  });

  it("and sends nothing gets an error, and may continue", async () => {
    const server = await start({ writeTimeoutMs: 200 });
    const location = await begin(server);
    const { socket, closed } = open(server);
    socket.write(head(`PATCH ${location}`, "content-length: 300000"));
    socket.write(bytes.subarray(0, 1000));
    expect(await closed()).toMatch(/^HTTP\/1\.1 408 [\s\S]*connection: close/i);
    expect((await finish(server, location, 1000)).status).toBe(201);
  });

  it("gets 100 Continue only if its body is needed", async () => {
    const denied: Access = {
      decide: async ({ action }) => (action === "push" ? { kind: "denied" } : { kind: "allowed" }),
    };
    const server = await start();
    const location = await begin(server);
    const { socket, until } = open(server);
    socket.write(head(`PATCH ${location}`, "content-length: 300000", "expect: 100-continue"));
    await until("HTTP/1.1 100 Continue");
    socket.write(bytes);
    await until("HTTP/1.1 202 Accepted");
    // The connection can be used again.
    socket.write(head("GET /v2/"));
    await until("HTTP/1.1 200 OK");
    const refusing = await start({ access: denied });
    const refused = open(refusing);
    refused.socket.write(head(`PATCH ${location}`, "content-length: 300000", "expect: 100-continue"));
    expect(await refused.closed()).toMatch(/^HTTP\/1\.1 403 /);
  });

  it("cannot write to an upload that another request writes to", async () => {
    const server = await start();
    const location = await begin(server);
    const { socket, until } = open(server);
    socket.write(head(`PATCH ${location}`, "content-length: 300000"));
    socket.write(bytes.subarray(0, 1000));
    while ((await request(server, "GET", location)).headers.get("range") !== "0-999");
    for (const [method, path] of [
      ["PATCH", location],
      ["PUT", `${location}?digest=${digest}`],
      ["DELETE", location],
    ] as const) {
      const { status, codes } = await request(server, method, path, method === "DELETE" ? {} : { body: bytes });
      expect([method, status, codes]).toEqual([method, 409, ["BLOB_UPLOAD_INVALID"]]);
    }
    socket.write(bytes.subarray(1000));
    await until("HTTP/1.1 202 Accepted");
    expect((await request(server, "PUT", `${location}?digest=${digest}`)).status).toBe(201);
  });

  it("cannot send more than it says, nor a manifest without end", async () => {
    const server = await start();
    const location = await begin(server);
    const { socket, until } = open(server);
    socket.write(head(`PATCH ${location}`, "content-range: 0-999", "transfer-encoding: chunked"));
    socket.write("2000\r\n");
    socket.write(bytes.subarray(0, 0x2000));
    expect(await until("SIZE_INVALID")).toMatch(/^HTTP\/1\.1 400 /);
    const endless = open(server);
    endless.socket.write(head("PUT /v2/team/app/manifests/1", "transfer-encoding: chunked"));
    for (let sent = 0; sent < 6 && !endless.socket.destroyed; sent++) {
      endless.socket.write("100000\r\n");
      endless.socket.write(new Uint8Array(0x100000).fill(32));
      endless.socket.write("\r\n");
    }
    expect(await endless.until("SIZE_INVALID")).toMatch(/^HTTP\/1\.1 413 /);
  });

  it("cannot reach the uploads of other repositories, or files, by an id", async () => {
    const server = await start();
    const id = (await begin(server)).split("/").at(-1) ?? "";
    for (const path of [
      `/v2/team/other/blobs/uploads/${id}`,
      `/v2/team/app/blobs/uploads/${id.toUpperCase()}x`,
      "/v2/team/app/blobs/uploads/format.json",
      `/v2/team/app/blobs/uploads/${"a".repeat(4000)}`,
    ]) {
      for (const method of ["GET", "PATCH", "PUT", "DELETE"]) {
        const { status } = await request(server, method, `${path}?digest=${digest}`);
        expect([path, method, status]).toEqual([path, method, 404]);
      }
    }
    expect(uploads()).toHaveLength(1);
  });

  it("learns that the disk is full, and nothing is lost", async () => {
    const server = await start();
    const image = await pushImage(server, "team/app", "1");
    const location = await begin(server);
    await request(server, "PATCH", location, { body: bytes.subarray(0, 1000) });
    const full = vi.spyOn(fs, "write").mockImplementation(((...args: unknown[]) => {
      (args.at(-1) as (error: Error) => void)(Object.assign(new Error("full"), { code: "ENOSPC" }));
    }) as never);
    const { status, codes, text } = await finish(server, location, 1000);
    expect([status, codes]).toEqual([507, ["UNKNOWN"]]);
    expect(text).not.toContain(folder);
    full.mockRestore();
    expect((await finish(server, location, 1000)).status).toBe(201);
    expect((await request(server, "GET", `/v2/team/app/manifests/${image.digest}`)).status).toBe(200);
  });

  it("may be one of many that push the same image to many repositories", async () => {
    const server = await start();
    const pushed = await Promise.all(
      Array.from({ length: 20 }, (_, at) => pushImage(server, `team/app-${at % 10}`, `v${at}`, `layer ${at % 3}`)),
    );
    expect(pushed.map(({ status }) => status)).toEqual(pushed.map(() => 201));
    expect(uploads()).toEqual([]);
    expect((await cache.verify()).damaged).toEqual([]);
  });
});
