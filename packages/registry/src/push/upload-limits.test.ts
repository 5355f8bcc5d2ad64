import { randomBytes } from "node:crypto";
import { digestBytes } from "@mote/core";
import { describe, expect, it } from "vitest";
import { type Intercept, refuse } from "../../test/fake-registry.js";
import { arrived, bodyOf, bytes, describeBytes, inPieces, methods, open, send } from "../../test/quirks-setup.js";

const MiB = 1024 * 1024;
const large = new Uint8Array(randomBytes(5 * MiB));

describe("a registry that limits the size of requests", () => {
  /** Rejects larger bodies, of chunks or of all requests. */
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

  it("receives smaller chunks, and no larger ones again", async () => {
    for (const [status, onlyPieces] of [
      // GHCR: chunks of up to 4 MiB. Cloudflare and nginx: no body beyond a limit.
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

  it("receives a small blob in chunks too", async () => {
    const content = large.subarray(0, 2 * MiB);
    const { server, to } = await open(2 * MiB, bounded(413, MiB, false));
    expect(await send(to, content)).toBe(1);
    expect(arrived(server, content)).toBe(true);
    expect(methods(server)).toMatch(/^POST PUT (?:DELETE )?POST PATCH PATCH PUT/);
  });

  it("receives chunks within OCI-Chunk-Max-Length", async () => {
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

  it.each(["1", "-5", "0.1"])("does not receive chunks of a maximum length that is too small: %s", async (most) => {
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

  it("is an error if no size is small enough", async () => {
    const { server, to } = await open(inPieces.chunkBytes, bounded(413, 10, false));
    await expect(send(to)).rejects.toMatchObject({ code: "MOTE_REGISTRY", details: { status: 413 } });
    expect(server.seen.length).toBeLessThan(20);
  });
});

describe("an upload in one request", () => {
  it("is sent before the closing request if that may have no body", async () => {
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

  it("succeeds if another client has sent the blob meanwhile", async () => {
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

  it("is sent again if its stream was interrupted", async () => {
    let cuts = 0;
    const { server, to } = await open(inPieces.chunkBytes, () => (request, response) => {
      if (request.method === "PATCH") refuse(response, 405, "UNSUPPORTED");
      else if (request.method === "PUT" && cuts++ === 0) response.socket?.destroy();
      else return false;
      return true;
    });
    expect(await send(to)).toBe(2);
    expect(arrived(server)).toBe(true);
    // It is known by then that chunks are not supported.
    expect(server.count("PATCH")).toBe(1);
  });

  it("may start and end with any status from 200 to 299", async () => {
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

  it("that ends with 202 without the blob is an error", async () => {
    const { to } = await open(bytes.byteLength, () => (request, response) => {
      if (request.method !== "PUT") return false;
      request.resume();
      response.writeHead(202).end();
      return true;
    });
    await expect(send(to)).rejects.toMatchObject({ code: "MOTE_REGISTRY" });
  });

  it("continues by its id if it started without a Location", async () => {
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
