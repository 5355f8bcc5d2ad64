import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { digestBytes, joinChunks } from "@mote/core";
import { listenOnLoopback } from "@mote/testbed";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { HttpMembers } from "./fleet-members.js";

const bytes = new TextEncoder().encode("0123456789".repeat(100));
const descriptor = { digest: digestBytes(bytes), size: bytes.byteLength, mediaType: "application/octet-stream" };
const secret = "0123456789abcdef0123456789abcdef";

let answer: (request: IncomingMessage, response: ServerResponse) => void;
let requests: IncomingMessage[];
let member: string;
let opened: AsyncDisposable[];

beforeEach(async () => {
  requests = [];
  opened = [];
  const server = createServer((request, response) => {
    requests.push(request);
    answer(request, response);
  });
  member = `http://${await listenOnLoopback(server)}`;
  opened.push({
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  });
});
afterEach(async () => {
  for (const each of opened.reverse()) await each[Symbol.asyncDispose]();
});

function members(idleTimeoutMs: number): HttpMembers {
  const made = new HttpMembers({
    url: "http://own.example:5000",
    secret: async () => secret,
    connections: {},
    limits: { connectTimeoutMs: 30_000, answerTimeoutMs: 30_000, idleTimeoutMs },
  });
  opened.push(made);
  return made;
}

async function read(start = 0, url = member, idleTimeoutMs = 30_000): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  await using reader = await members(idleTimeoutMs).blob(url, descriptor, { start });
  for await (const chunk of reader) chunks.push(chunk.slice());
  return joinChunks(chunks);
}

/** Sends the range that is requested, as another member does. */
function sendRange({ headers }: IncomingMessage, response: ServerResponse): void {
  const [, first = "", last = ""] = /^bytes=(\d+)-(\d+)$/.exec(headers.range ?? "") ?? [];
  const body = bytes.subarray(Number(first), Number(last) + 1);
  response.writeHead(206, { "content-range": `bytes ${first}-${last}/*`, "content-length": String(body.byteLength) });
  response.end(body);
}

describe("a blob of another member", () => {
  it("is requested from a byte on, with a token instead of the secret", async () => {
    answer = sendRange;
    expect(await read(300)).toEqual(bytes.subarray(300));
    expect(requests[0]?.url).toBe(`/api/fleet/blobs/${descriptor.digest}`);
    expect(requests[0]?.headers.authorization).toMatch(/^Bearer [\w-]+\.[\w-]+\.[\w-]+$/);
    expect(JSON.stringify(requests[0]?.headers)).not.toContain(secret);
  });

  it("is requested below the path of the member's URL", async () => {
    answer = sendRange;
    expect(await read(0, `${member}/mote/`)).toEqual(bytes);
    expect(requests[0]?.url).toBe(`/mote/api/fleet/blobs/${descriptor.digest}`);
  });

  it.each<[string, string, typeof answer]>([
    ["it is not there", "MOTE_NOT_FOUND", (_, response) => response.writeHead(404).end()],
    ["the token is not valid", "MOTE_UNAUTHORIZED", (_, response) => response.writeHead(401).end()],
    ["the member is busy", "MOTE_REGISTRY", (_, response) => response.writeHead(503).end()],
    ["it does not begin at the byte", "MOTE_REGISTRY", (_, response) => response.writeHead(200).end(bytes)],
    [
      "it is another range",
      "MOTE_REGISTRY",
      (_, response) => response.writeHead(206, { "content-range": "bytes 0-9/*" }).end(),
    ],
    ["the connection is cut", "MOTE_UNREACHABLE", (request) => request.socket.destroy()],
    [
      "the body is cut",
      "MOTE_UNREACHABLE",
      (_, response) => {
        const headers = {
          "content-range": `bytes 1-${bytes.byteLength - 1}/*`,
          "content-length": String(bytes.byteLength - 1),
        };
        response.writeHead(206, headers).write(bytes.subarray(1, 9), () => response.destroy());
      },
    ],
    [
      "the member sends nothing more",
      "MOTE_TIMEOUT",
      (_, response) => {
        const headers = {
          "content-range": `bytes 1-${bytes.byteLength - 1}/*`,
          "content-length": String(bytes.byteLength - 1),
        };
        response.writeHead(206, headers).write(bytes.subarray(1, 9));
      },
    ],
  ])("cannot be read if %s", async (_, code, sends) => {
    answer = sends;
    // Only a member that falls silent: a busy machine must not look like one.
    const idleTimeoutMs = code === "MOTE_TIMEOUT" ? 100 : undefined;
    await expect(read(1, member, idleTimeoutMs)).rejects.toMatchObject({ code });
    expect(requests).toHaveLength(1);
  });

  it("is not looked for where a redirect leads", async () => {
    answer = (_, response) => response.writeHead(307, { location: `${member}/elsewhere` }).end();
    await expect(read()).rejects.toMatchObject({ code: "MOTE_REGISTRY" });
    expect(requests).toHaveLength(1);
  });

  it.each(["file:///etc/passwd", "http://ann:secret@127.0.0.1:1", "nothing", ""])(
    "is not requested from %s",
    async (url) => {
      await expect(read(0, url)).rejects.toMatchObject({ code: "MOTE_REGISTRY" });
    },
  );
});
