import { digestBytes } from "@mote/core";
import { describe, expect, it } from "vitest";
import { refuse } from "../../test/fake-registry.js";
import { sameBytes } from "../../test/outcome.js";
import { serveTokens } from "../../test/token-server.js";
import type { UploadServer } from "../../test/upload-server.js";
import { blob, bytes, chunked, inPieces, on, opened, start, whole } from "../../test/upload-setup.js";

const methods = (server: UploadServer) => server.seen.map(({ method }) => method);
const arrived = (server: UploadServer) => sameBytes(bytes, server.blobs.get(blob.digest));

describe("an uploaded blob", () => {
  it("is sent in one request if it is small", async () => {
    const { server, destination } = await start(whole);
    await destination.blob(blob, chunked(bytes));
    expect(methods(server)).toEqual(["POST", "PUT"]);
    expect(arrived(server)).toBe(true);
    expect(server.seen[1]?.url).toBe(`/v2/a/b/blobs/uploads/1?state=0&digest=${encodeURIComponent(blob.digest)}`);
  });

  it("continues with a new token for each request if tokens are valid only once", async () => {
    const tokens = await serveTokens({ login: "ann:s3cret" });
    const scope = "repository:a/b:pull,push";
    const credentials = { get: async () => ({ kind: "password", username: "ann", password: "s3cret" }) as const };
    const { server, destination } = await start({ ...inPieces, credentials }, () => (request, response) => {
      if (tokens.admits(request, scope)) {
        tokens.revoke();
        return false;
      }
      const challenge = `Bearer realm="http://${tokens.host}/token",scope="${scope}"`;
      refuse(response, 401, "UNAUTHORIZED", { "www-authenticate": challenge });
      return true;
    });
    opened.push(tokens);
    await destination.blob(blob, chunked(bytes));
    expect(arrived(server)).toBe(true);
    const sent = ["POST", "PATCH", "PATCH", "PATCH", "PATCH", "PUT"];
    // Each request is rejected first, because the last token is no longer valid.
    expect(methods(server)).toEqual(sent.flatMap((method) => [method, method]));
    expect(tokens.seen).toHaveLength(sent.length);
  });

  it("is sent in chunks if it is large", async () => {
    const { server, destination } = await start(inPieces);
    await destination.blob(blob, chunked(bytes));
    expect(methods(server)).toEqual(["POST", "PATCH", "PATCH", "PATCH", "PATCH", "PUT"]);
    expect(server.seen.flatMap(({ headers }) => headers["content-range"] ?? [])).toEqual([
      "0-29999",
      "30000-59999",
      "60000-89999",
      "90000-99999",
    ]);
    expect(arrived(server)).toBe(true);
  });

  it("is sent in chunks of the size that the registry requires", async () => {
    const { server, destination } = await start(
      inPieces,
      on("POST", 1, (_, response) => {
        const headers = { location: "/v2/a/b/blobs/uploads/x", "oci-chunk-min-length": "60000" };
        response.writeHead(202, headers).end();
      }),
    );
    server.sessions.set("/v2/a/b/blobs/uploads/x", new Uint8Array());
    await destination.blob(blob, chunked(bytes));
    expect(methods(server)).toEqual(["POST", "PATCH", "PATCH", "PUT"]);
    expect(arrived(server)).toBe(true);
  });

  it("is sent as a stream if the registry requires chunks that are too large for memory", async () => {
    const { server, destination } = await start(inPieces, ({ sessions }) => (request, response) => {
      if (request.method !== "POST") return false;
      sessions.set("/v2/a/b/blobs/uploads/x", new Uint8Array());
      const headers = { location: "/v2/a/b/blobs/uploads/x", "oci-chunk-min-length": "1000000000000" };
      response.writeHead(202, headers).end();
      return true;
    });
    await destination.blob(blob, chunked(bytes));
    expect([server.count("PATCH"), server.count("PUT")]).toEqual([0, 1]);
    expect(arrived(server)).toBe(true);
  });

  it("is sent in one request if it is empty", async () => {
    const empty = { ...blob, digest: digestBytes(new Uint8Array()), size: 0 };
    const { server, destination } = await start(inPieces);
    await destination.blob(empty, chunked(new Uint8Array()));
    expect(server.blobs.get(empty.digest)).toHaveLength(0);
  });

  it("is sent as a stream if the registry does not accept chunks", async () => {
    for (const status of [400, 404, 405, 501]) {
      const { server, destination } = await start(
        inPieces,
        on("PATCH", 1, (_, response) => response.writeHead(status).end()),
      );
      await destination.blob(blob, chunked(bytes));
      expect(server.count("PATCH")).toBe(1);
      expect(server.count("PUT", blob.digest.slice(7))).toBe(1);
      expect(arrived(server)).toBe(true);
    }
  });
});
