import { randomBytes } from "node:crypto";
import { type Descriptor, digestBytes, MoteError, mediaTypes } from "@mote/core";
import { afterEach, describe, expect, it } from "vitest";
import { type Intercept, refuse } from "../../test/fake-registry.js";
import { sameBytes } from "../../test/outcome.js";
import { serveUploads, type UploadServer } from "../../test/upload-server.js";
import { RegistryClient } from "../client.js";
import { RegistryDestination } from "./destination.js";

const MiB = 1024 * 1024;
const bytes = new Uint8Array(randomBytes(100_000));
const large = new Uint8Array(randomBytes(5 * MiB));
const describeBytes = (content: Uint8Array): Descriptor => ({
  mediaType: mediaTypes.octetStream,
  digest: digestBytes(content),
  size: content.byteLength,
});
const inPieces = { chunkBytes: 30_000 };

const opened: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one[Symbol.asyncDispose]();
});

async function open(chunkBytes: number, intercept?: (server: UploadServer) => Intercept) {
  const server = await serveUploads(intercept);
  const client = new RegistryClient({ retryDelayMs: 1, retries: 4 });
  opened.push(server, client);
  return { server, to: new RegistryDestination(client, { registry: server.host, repository: "a/b" }, { chunkBytes }) };
}

/** Sends the blob as a transfer does: again while the error says so, three times at most. Returns how often it was sent. */
async function send(to: RegistryDestination, content = bytes): Promise<number> {
  for (let times = 1; ; times++) {
    try {
      await to.blob(describeBytes(content), chunked(content));
      return times;
    } catch (error) {
      if (times === 3 || !MoteError.isInstance(error)) throw error;
      const { mayResend }: { mayResend?: boolean } = error.details ?? {};
      if (error.code !== "MOTE_UPLOAD_LOST" && mayResend !== true) throw error;
    }
  }
}

async function* chunked(content: Uint8Array) {
  for (let at = 0; at < content.byteLength; at += 70_000) yield content.subarray(at, at + 70_000);
}

const arrived = (server: UploadServer, content = bytes) =>
  sameBytes(content, server.blobs.get(describeBytes(content).digest));
const methods = (server: UploadServer) => server.seen.map(({ method }) => method).join(" ");

async function bodyOf(request: Parameters<Intercept>[0]): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of request) parts.push(part);
  return new Uint8Array(Buffer.concat(parts));
}

/** Stores each PATCH as it comes, without a look at its offset, and answers with that status and those headers. */
const storing =
  (status: number, headers: (start: number, end: number, path: string) => Record<string, string>) =>
  ({ sessions }: UploadServer): Intercept =>
  async (request, response) => {
    if (request.method !== "PATCH") return false;
    const [path = ""] = request.url?.split("?") ?? [];
    const before = sessions.get(path) ?? new Uint8Array();
    const all = new Uint8Array(Buffer.concat([before, await bodyOf(request)]));
    sessions.set(path, all);
    response.writeHead(status, headers(before.byteLength, all.byteLength, path)).end();
    return true;
  };

describe("pieces that a registry stores", () => {
  it("are each sent once, whatever the registry says of its Range", async () => {
    const ranges: [string, (start: number, end: number) => string | undefined][] = [
      ["right", (_, end) => `0-${end - 1}`],
      ["as bytes=0-N", (_, end) => `bytes=0-${end - 1}`],
      ["of the first piece only (ECR)", () => "0-29999"],
      ["of no bytes", () => "0-0"],
      ["of the last piece (Aliyun)", (start, end) => `0-${end - start - 1}`],
      ["of the last piece, from its start", (start, end) => `${start}-${end - 1}`],
      ["one too many (zuul-registry)", (_, end) => `0-${end}`],
      ["one too few", (_, end) => `0-${end - 2}`],
      ["more than there is", () => "0-99999999"],
      ["negative", () => "0--1"],
      ["no range at all", () => undefined],
      ["nonsense", () => "bytes"],
    ];
    for (const [name, range] of ranges) {
      const { server, to } = await open(
        inPieces.chunkBytes,
        storing(202, (start, end, path) => {
          const said = range(start, end);
          return { location: path, ...(said === undefined ? {} : { range: said }) };
        }),
      );
      expect([name, await send(to), methods(server)]).toEqual([name, 1, "POST PATCH PATCH PATCH PATCH PUT"]);
      expect(arrived(server)).toBe(true);
    }
  });

  it("are taken by any status from 200 to 299, with or without a Location, or with that of the blob", async () => {
    const locations: ((path: string) => Record<string, string>)[] = [
      (path) => ({ location: path }),
      (path) => ({ location: path.split("/").at(-1) ?? "" }),
      (path) => ({ location: `${path}?state=1&more=%2F` }),
      () => ({}),
      () => ({ location: `/v2/a/b/blobs/${describeBytes(bytes).digest}` }),
    ];
    for (const status of [200, 201, 202, 204]) {
      for (const location of locations) {
        const { server, to } = await open(
          inPieces.chunkBytes,
          storing(status, (_, end, path) => ({ ...location(path), range: `0-${end - 1}` })),
        );
        expect([status, String(location), await send(to)]).toEqual([status, String(location), 1]);
        expect(arrived(server)).toBe(true);
        expect(server.sessions.size).toBe(0);
      }
    }
  });

  it("that do not add up are sent once more in one piece", async () => {
    const wrongs: [string, (server: UploadServer) => Intercept][] = [
      [
        "a part is said to be missing, and then stored twice",
        storing(202, (start, end, path) => ({ location: path, range: `0-${Math.floor((start + end) / 2)}` })),
      ],
      [
        "a piece is dropped",
        ({ sessions }) => {
          let pieces = 0;
          return async (request, response) => {
            if (request.method !== "PATCH" || ++pieces !== 2) return false;
            const [path = ""] = request.url?.split("?") ?? [];
            sessions.set(
              path,
              new Uint8Array(Buffer.concat([sessions.get(path) ?? new Uint8Array(), new Uint8Array(30_000)])),
            );
            request.resume();
            response.writeHead(202, { location: path }).end();
            return true;
          };
        },
      ],
      ...[400, 405, 409, 411, 415, 422, 501].map((status): [string, (server: UploadServer) => Intercept] => [
        `the second piece is refused by ${status}`,
        () => (request, response) => {
          const isSecond = request.method === "PATCH" && request.headers["content-range"]?.startsWith("30000-");
          if (isSecond) refuse(response, status, "UNSUPPORTED");
          return isSecond === true;
        },
      ]),
      [
        "the second piece is refused by 416 for ever, with an offset that is one too many (Quay)",
        ({ sessions }) =>
          (request, response) => {
            const [path = ""] = request.url?.split("?") ?? [];
            const range = `bytes=0-${sessions.get(path)?.byteLength ?? 0}`;
            const isSecond = request.method === "PATCH" && !request.headers["content-range"]?.startsWith("0-");
            if (isSecond) response.writeHead(416, { range }).end();
            else if (request.method === "GET") response.writeHead(204, { range }).end();
            else return false;
            return true;
          },
      ],
      [
        "the end is refused",
        () => (request, response) => {
          const isEnd = request.method === "PUT" && request.headers["content-length"] === "0";
          if (isEnd) refuse(response, 400, "BLOB_UPLOAD_INVALID");
          return isEnd;
        },
      ],
      [
        "it is taken byte by byte",
        () => {
          let taken = 0;
          return (request, response) => {
            if (request.method !== "PATCH") return false;
            request.resume();
            response.writeHead(202, { location: request.url ?? "", range: `0-${++taken}` }).end();
            return true;
          };
        },
      ],
    ];
    for (const [name, wrong] of wrongs) {
      const { server, to } = await open(inPieces.chunkBytes, wrong);
      expect([name, await send(to)]).toEqual([name, 2]);
      expect(arrived(server)).toBe(true);
      expect(server.seen.length).toBeLessThan(90);
      const [last] = server.seen.filter(({ method }) => method === "PUT").slice(-1);
      expect(last?.headers["content-length"]).toBe(String(bytes.byteLength));
      await expect.poll(() => server.sessions.size).toBe(0);
    }
  });

  it("go on at the offset that a 416 tells, without asking again", async () => {
    let pieces = 0;
    const { server, to } = await open(inPieces.chunkBytes, ({ sessions }) => async (request, response) => {
      if (request.method !== "PATCH" || ++pieces !== 2) return false;
      const [path = ""] = request.url?.split("?") ?? [];
      const body = await bodyOf(request);
      sessions.set(
        path,
        new Uint8Array(Buffer.concat([sessions.get(path) ?? new Uint8Array(), body.subarray(0, 500)])),
      );
      response.writeHead(416, { location: path, range: "0-30499" }).end();
      return true;
    });
    expect(await send(to)).toBe(1);
    expect(arrived(server)).toBe(true);
    expect(server.count("GET")).toBe(0);
  });
});

describe("a registry that bounds what one request may have", () => {
  /** Refuses bodies that are larger, of pieces or of all requests. */
  const bounded =
    (status: number, mostBytes: number, onlyPieces: boolean): (() => Intercept) =>
    () =>
    (request, response) => {
      if (Number(request.headers["content-length"] ?? 0) <= mostBytes) return false;
      if (onlyPieces && request.headers["content-range"] === undefined) return false;
      request.resume();
      request.on("end", () => refuse(response, status, "SIZE_INVALID"));
      return true;
    };

  it("gets smaller pieces, and is not asked for larger ones again", async () => {
    for (const [status, onlyPieces] of [
      // GHCR: pieces of up to 4 MiB. Cloudflare and nginx: no body beyond a limit.
      [416, true],
      [413, true],
      [413, false],
    ] as const) {
      for (const size of [3 * MiB, 5 * MiB]) {
        const content = large.subarray(0, size);
        const { server, to } = await open(2 * MiB, bounded(status, MiB, onlyPieces));
        expect(await send(to, content)).toBe(1);
        expect(arrived(server, content)).toBe(true);
        const again = content.slice().reverse();
        const before = server.seen.length;
        expect(await send(to, again)).toBe(1);
        expect(arrived(server, again)).toBe(true);
        const sizes = server.seen.slice(before).map(({ headers }) => Number(headers["content-length"] ?? 0));
        expect(Math.max(...sizes)).toBe(MiB);
      }
    }
  });

  it("gets a small blob in pieces, too", async () => {
    const content = large.subarray(0, 2 * MiB);
    const { server, to } = await open(2 * MiB, bounded(413, MiB, false));
    expect(await send(to, content)).toBe(1);
    expect(arrived(server, content)).toBe(true);
    expect(methods(server)).toMatch(/^POST PUT (?:DELETE )?POST PATCH PATCH PUT/);
  });

  it("gets pieces within what it says: OCI-Chunk-Max-Length", async () => {
    const { server, to } = await open(8 * MiB, ({ sessions }) => (request, response) => {
      if (request.method !== "POST") return false;
      sessions.set("/v2/a/b/blobs/uploads/x", new Uint8Array());
      const limits = { "oci-chunk-min-length": "1000", "oci-chunk-max-length": "40000" };
      response.writeHead(202, { location: "/v2/a/b/blobs/uploads/x", ...limits }).end();
      return true;
    });
    expect(await send(to)).toBe(1);
    expect(server.seen.flatMap(({ headers }) => headers["content-range"] ?? [])).toEqual([
      "0-39999",
      "40000-79999",
      "80000-99999",
    ]);
    expect(arrived(server)).toBe(true);
  });

  it.each(["1", "-5", "0.1"])("gets no pieces as small as it says: %s", async (most) => {
    const { server, to } = await open(8 * MiB, ({ sessions }) => (request, response) => {
      if (request.method !== "POST") return false;
      sessions.set("/v2/a/b/blobs/uploads/x", new Uint8Array());
      response.writeHead(202, { location: "/v2/a/b/blobs/uploads/x", "oci-chunk-max-length": most }).end();
      return true;
    });
    expect(await send(to)).toBe(1);
    expect(server.seen.length).toBeLessThan(10);
    expect(arrived(server)).toBe(true);
  });

  it("is an error where nothing is small enough", async () => {
    const { server, to } = await open(inPieces.chunkBytes, bounded(413, 10, false));
    await expect(send(to)).rejects.toMatchObject({ code: "MOTE_REGISTRY", details: { status: 413 } });
    expect(server.seen.length).toBeLessThan(20);
  });
});

describe("an upload in one request", () => {
  it("goes before the request that closes it where that may have no body", async () => {
    for (const [status, code] of [
      [404, "BLOB_UNKNOWN"],
      [400, "DIGEST_INVALID"],
      [405, "UNSUPPORTED"],
      [411, "UNKNOWN"],
    ] as const) {
      for (const chunkBytes of [bytes.byteLength, inPieces.chunkBytes]) {
        const { server, to } = await open(chunkBytes, () => (request, response) => {
          const isRefused =
            (request.method === "PUT" && request.headers["content-length"] !== "0") ||
            request.headers["content-range"] !== undefined;
          if (isRefused) {
            request.resume();
            request.on("end", () => refuse(response, status, code));
          }
          return isRefused;
        });
        await send(to);
        expect(arrived(server)).toBe(true);
        const before = server.seen.length;
        const other = bytes.slice().reverse();
        await send(to, other);
        expect(arrived(server, other)).toBe(true);
        const news = server.seen.slice(before).map(({ method }) => method);
        expect(news.filter((method) => method !== "DELETE")).toEqual(["POST", "PATCH", "PUT"]);
      }
    }
  });

  it("is done where another client has sent the blob meanwhile", async () => {
    for (const chunkBytes of [bytes.byteLength, inPieces.chunkBytes]) {
      const { to } = await open(chunkBytes, ({ blobs }) => (request, response) => {
        if (request.method !== "PUT") return false;
        blobs.set(describeBytes(bytes).digest, bytes);
        request.resume();
        refuse(response, 400, "BLOB_UPLOAD_INVALID");
        return true;
      });
      expect(await send(to)).toBe(1);
    }
  });

  it("is sent again where its stream broke off", async () => {
    let cuts = 0;
    const { server, to } = await open(inPieces.chunkBytes, () => (request, response) => {
      if (request.method === "PATCH") refuse(response, 405, "UNSUPPORTED");
      else if (request.method === "PUT" && cuts++ === 0) response.socket?.destroy();
      else return false;
      return true;
    });
    expect(await send(to)).toBe(2);
    expect(arrived(server)).toBe(true);
    // It is known by then that there are no pieces.
    expect(server.count("PATCH")).toBe(1);
  });

  it("may begin and end by any status from 200 to 299", async () => {
    for (const status of [200, 201, 202, 204]) {
      for (const chunkBytes of [bytes.byteLength, inPieces.chunkBytes]) {
        const { server, to } = await open(chunkBytes, ({ sessions, blobs }) => async (request, response) => {
          if (request.method === "POST") {
            sessions.set("/v2/a/b/blobs/uploads/x", new Uint8Array());
            response.writeHead(status, { location: "/v2/a/b/blobs/uploads/x" }).end();
          } else if (request.method === "PUT") {
            const before = sessions.get("/v2/a/b/blobs/uploads/x") ?? new Uint8Array();
            const all = new Uint8Array(Buffer.concat([before, await bodyOf(request)]));
            blobs.set(digestBytes(all), all);
            sessions.clear();
            response.writeHead(status).end();
          } else return false;
          return true;
        });
        expect(await send(to)).toBe(1);
        expect(arrived(server)).toBe(true);
      }
    }
  });

  it("that ends by 202 without the blob is an error", async () => {
    const { to } = await open(bytes.byteLength, () => (request, response) => {
      if (request.method !== "PUT") return false;
      request.resume();
      response.writeHead(202).end();
      return true;
    });
    await expect(send(to)).rejects.toMatchObject({ code: "MOTE_REGISTRY" });
  });

  it("goes on by its id where it began without a Location", async () => {
    const { server, to } = await open(inPieces.chunkBytes, ({ sessions }) => (request, response) => {
      if (request.method !== "POST") return false;
      sessions.set("/v2/a/b/blobs/uploads/some-id", new Uint8Array());
      response.writeHead(202, { "docker-upload-uuid": "some-id" }).end();
      return true;
    });
    expect(await send(to)).toBe(1);
    expect(arrived(server)).toBe(true);
  });
});
