import { randomBytes } from "node:crypto";
import { type ContentEvent, type Descriptor, digestBytes, mediaTypes } from "@mote/core";
import { afterEach, describe, expect, it } from "vitest";
import { type Intercept, refuse } from "../../test/fake-registry.js";
import { codeOf, sameBytes } from "../../test/outcome.js";
import { serveTokens } from "../../test/token-server.js";
import { serveUploads, type UploadServer } from "../../test/upload-server.js";
import { RegistryClient, type RegistryClientOptions } from "../client.js";
import { RegistryDestination } from "./destination.js";

const bytes = new Uint8Array(randomBytes(100_000));
const blob: Descriptor = { mediaType: mediaTypes.octetStream, digest: digestBytes(bytes), size: bytes.byteLength };
const whole = { chunkBytes: blob.size };
const inPieces = { chunkBytes: 30_000 };

const opened: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one[Symbol.asyncDispose]();
});

async function lying(
  options: RegistryClientOptions & { chunkBytes: number },
  intercept?: (server: UploadServer) => Intercept,
) {
  const events: ContentEvent[] = [];
  const server = await serveUploads(intercept);
  const client = new RegistryClient({ retryDelayMs: 1, onEvent: (event) => events.push(event), ...options });
  opened.push(server, client);
  const place = { registry: server.host, repository: "a/b" };
  return { server, events, destination: new RegistryDestination(client, place, options) };
}

/** In chunks of another size than the pieces. */
async function* chunked(content: Uint8Array, failure?: Error): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < content.byteLength; at += 7000) yield content.subarray(at, at + 7000);
  if (failure !== undefined) throw failure;
}

/** The next `times` requests with this method are answered by `act`. */
function on(method: string, times: number, act: (...sent: Parameters<Intercept>) => unknown): () => Intercept {
  let left = times;
  return () => async (request, response) => {
    if (request.method !== method || left-- <= 0) return false;
    await act(request, response);
    return true;
  };
}

const methods = (server: UploadServer) => server.seen.map(({ method }) => method);
const arrived = (server: UploadServer) => sameBytes(bytes, server.blobs.get(blob.digest));

describe("a blob that is uploaded", () => {
  it("goes in one request where it is small", async () => {
    const { server, destination } = await lying(whole);
    await destination.blob(blob, chunked(bytes));
    expect(methods(server)).toEqual(["POST", "PUT"]);
    expect(arrived(server)).toBe(true);
    expect(server.seen[1]?.url).toBe(`/v2/a/b/blobs/uploads/1?state=0&digest=${encodeURIComponent(blob.digest)}`);
  });

  it("continues with a new token where each lasts for one request", async () => {
    const tokens = await serveTokens({ login: "ann:s3cret" });
    const scope = "repository:a/b:pull,push";
    const credentials = { get: async () => ({ kind: "password", username: "ann", password: "s3cret" }) as const };
    const { server, destination } = await lying({ ...inPieces, credentials }, () => (request, response) => {
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
    // Each is refused first, as what was good for the last one no longer is.
    expect(methods(server)).toEqual(sent.flatMap((method) => [method, method]));
    expect(tokens.seen).toHaveLength(sent.length);
  });

  it("goes in pieces where it is large", async () => {
    const { server, destination } = await lying(inPieces);
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

  it("goes in pieces as large as the registry wants them", async () => {
    const { server, destination } = await lying(
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

  it("goes as a stream where the registry wants pieces that are too large for memory", async () => {
    const { server, destination } = await lying(inPieces, ({ sessions }) => (request, response) => {
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

  it("of no bytes is one of one request", async () => {
    const empty = { ...blob, digest: digestBytes(new Uint8Array()), size: 0 };
    const { server, destination } = await lying(inPieces);
    await destination.blob(empty, chunked(new Uint8Array()));
    expect(server.blobs.get(empty.digest)).toHaveLength(0);
  });

  it("goes as a stream where the registry takes no pieces", async () => {
    for (const status of [400, 404, 405, 501]) {
      const { server, destination } = await lying(
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

describe("an upload after an error", () => {
  it("continues from what the registry has of the chunk", async () => {
    for (const kept of [0, 12_345, 30_000]) {
      let pieces = 0;
      const { server, events, destination } = await lying(inPieces, ({ sessions }) => async (request, response) => {
        if (request.method !== "PATCH" || ++pieces !== 2) return false;
        const [path = ""] = request.url?.split("?") ?? [];
        const parts: Uint8Array[] = [];
        for await (const chunk of request) parts.push(chunk);
        const before = sessions.get(path) ?? new Uint8Array();
        sessions.set(path, new Uint8Array(Buffer.concat([before, Buffer.concat(parts).subarray(0, kept)])));
        response.socket?.destroy();
        return true;
      });
      await destination.blob(blob, chunked(bytes));
      expect(arrived(server)).toBe(true);
      expect(events).toMatchObject([{ type: "retry", digest: blob.digest, attempt: 1, reason: "cut" }]);
    }
  });

  it("continues after 416, 429, 500 or 503, and waits as Retry-After says", async () => {
    for (const status of [416, 429, 500, 503]) {
      const { server, events, destination } = await lying(
        inPieces,
        on("PATCH", 2, (_, response) => refuse(response, status, "TOOMANYREQUESTS", { "retry-after": "0" })),
      );
      await destination.blob(blob, chunked(bytes));
      expect(arrived(server)).toBe(true);
      expect(events).toHaveLength(2);
    }
  });

  it("continues if the registry takes only a part of a chunk", async () => {
    let pieces = 0;
    const { server, destination } = await lying(inPieces, ({ sessions }) => async (request, response) => {
      if (request.method !== "PATCH" || ++pieces !== 1) return false;
      const [path = ""] = request.url?.split("?") ?? [];
      sessions.set(path, bytes.slice(0, 1000));
      request.resume();
      response.writeHead(202, { location: path, range: "0-999" }).end();
      return true;
    });
    await destination.blob(blob, chunked(bytes));
    expect(arrived(server)).toBe(true);
  });

  it("begins again if the session is lost with its first chunk, and fails if it is lost later", async () => {
    let pieces = 0;
    const losing =
      (at: number) =>
      ({ sessions }: UploadServer): Intercept =>
      (request, response) => {
        if (request.method !== "PATCH" || ++pieces !== at) return false;
        sessions.clear();
        refuse(response, 500, "UNKNOWN");
        return true;
      };
    const first = await lying(inPieces, losing(1));
    await first.destination.blob(blob, chunked(bytes));
    expect(arrived(first.server)).toBe(true);
    pieces = 0;
    const later = await lying(inPieces, losing(3));
    expect(await codeOf(later.destination.blob(blob, chunked(bytes)))).toBe("MOTE_UPLOAD_LOST");
  });

  it("is done where only the answer to its end was lost", async () => {
    for (const options of [whole, inPieces]) {
      const { server, destination } = await lying(options, ({ blobs, sessions }) => async (request, response) => {
        if (request.method !== "PUT") return false;
        for await (const _ of request);
        blobs.set(blob.digest, bytes);
        sessions.clear();
        response.socket?.destroy();
        return true;
      });
      await destination.blob(blob, chunked(bytes));
      expect(server.count("PUT")).toBe(1);
    }
  });

  it("in one request is repeated as a whole", async () => {
    const { server, destination } = await lying(
      whole,
      on("PUT", 2, (_, response) => response.socket?.destroy()),
    );
    await destination.blob(blob, chunked(bytes));
    expect(server.count("PUT")).toBe(3);
    expect(arrived(server)).toBe(true);
    await expect.poll(() => server.sessions.size).toBe(0);
  });

  it("comes to an end: what fails again and again fails, and leaves no session open", async () => {
    for (const [options, method] of [
      [whole, "PUT"],
      [inPieces, "PATCH"],
      [inPieces, "PUT"],
    ] as const) {
      const { server, destination } = await lying(
        { ...options, retries: 2 },
        on(method, 99, (_, response) => response.socket?.destroy()),
      );
      expect(await codeOf(destination.blob(blob, chunked(bytes)))).toBe("MOTE_UNREACHABLE");
      expect(server.count(method)).toBe(3);
      expect(server.blobs.size).toBe(0);
      await expect.poll(() => server.sessions.size).toBe(0);
    }
  });
});

describe("an upload to a registry that restarts", () => {
  it("continues when it is up again", async () => {
    for (const [options, method] of [
      [inPieces, "PATCH"],
      [inPieces, "PUT"],
      [whole, "PUT"],
    ] as const) {
      let failures: number | undefined;
      const { server, destination } = await lying({ ...options, retries: 3 }, () => (request, response) => {
        if (request.method === method) failures ??= 6;
        if (failures === undefined || failures === 0) return false;
        failures--;
        response.socket?.destroy();
        return true;
      });
      await destination.blob(blob, chunked(bytes));
      expect(arrived(server)).toBe(true);
    }
  });
});

describe("an upload that fails", () => {
  it("by its source ends in the source's own error, with nothing kept", async () => {
    const failure = new Error("the source broke");
    for (const [options, lie] of [
      [whole, undefined],
      [inPieces, undefined],
      [inPieces, on("PATCH", 1, (_, response) => response.writeHead(405).end())],
    ] as const) {
      const { server, destination } = await lying(options, lie);
      expect(await codeOf(destination.blob(blob, chunked(bytes, failure)))).toBe(failure);
      expect(server.blobs.size).toBe(0);
      await expect.poll(() => server.sessions.size).toBe(0);
    }
  });

  it("by more or fewer bytes than the blob has is a size mismatch", async () => {
    for (const options of [whole, inPieces]) {
      for (const wrong of [bytes.subarray(1), new Uint8Array(Buffer.concat([bytes, new Uint8Array(1)]))]) {
        const { server, destination } = await lying(options);
        expect(await codeOf(destination.blob(blob, chunked(wrong)))).toBe("MOTE_SIZE_MISMATCH");
        expect(server.blobs.size).toBe(0);
      }
    }
  });

  it("by its digest is a digest mismatch", async () => {
    const wrong = new Uint8Array(blob.size);
    for (const options of [whole, inPieces]) {
      const { server, destination } = await lying(options);
      expect(await codeOf(destination.blob(blob, chunked(wrong)))).toBe("MOTE_DIGEST_MISMATCH");
      expect(server.blobs.size).toBe(0);
    }
  });

  it("by the signal ends with its reason, and closes its session", async () => {
    const reason = new Error("enough");
    const abort = new AbortController();
    const { server, destination } = await lying(
      inPieces,
      on("PATCH", 1, () => abort.abort(reason)),
    );
    expect(await codeOf(destination.blob(blob, chunked(bytes), { signal: abort.signal }))).toBe(reason);
    await expect.poll(() => server.sessions.size).toBe(0);
  });

  it("by the signal ends also while the source keeps it waiting", async () => {
    const reason = new Error("enough");
    const abort = new AbortController();
    const stuck = async function* () {
      yield bytes.subarray(0, 10);
      abort.abort(reason);
      await new Promise(() => {});
    };
    const { server, destination } = await lying(inPieces);
    expect(await codeOf(destination.blob(blob, stuck(), { signal: abort.signal }))).toBe(reason);
    await expect.poll(() => server.sessions.size).toBe(0);
  });

  it("leaves its source closed", async () => {
    let closed = false;
    const watched = async function* () {
      try {
        yield* chunked(bytes);
      } finally {
        closed = true;
      }
    };
    const { destination } = await lying(
      inPieces,
      on("PATCH", 1, (_, response) => refuse(response, 403, "DENIED")),
    );
    expect(await codeOf(destination.blob(blob, watched()))).toBe("MOTE_FORBIDDEN");
    expect(closed).toBe(true);
  });

  it("because the registry forbids it says so", async () => {
    const { destination } = await lying(
      whole,
      on("POST", 1, (_, response) => refuse(response, 403, "DENIED")),
    );
    expect(await codeOf(destination.blob(blob, chunked(bytes)))).toBe("MOTE_FORBIDDEN");
  });

  it("because the registry names no session says so", async () => {
    const { destination } = await lying(
      whole,
      on("POST", 1, (_, response) => response.writeHead(202).end()),
    );
    expect(await codeOf(destination.blob(blob, chunked(bytes)))).toBe("MOTE_REGISTRY");
  });
});

describe("an upload whose session is on another host", () => {
  it("goes there without credentials", async () => {
    const elsewhere = await serveUploads();
    opened.push(elsewhere);
    elsewhere.sessions.set("/elsewhere", new Uint8Array());
    const { server, destination } = await lying(
      {
        ...whole,
        headers: { "x-secret": "s3cret" },
        credentials: { get: async () => ({ kind: "password", username: "ann", password: "s3cret" }) },
      },
      () => (request, response) => {
        if (request.headers.authorization === undefined) {
          refuse(response, 401, "UNAUTHORIZED", { "www-authenticate": "Basic realm=x" });
        } else response.writeHead(202, { location: `http://${elsewhere.host}/elsewhere` }).end();
        return true;
      },
    );
    await destination.blob(blob, chunked(bytes));
    expect(server.count("POST")).toBe(2);
    expect(arrived(elsewhere)).toBe(true);
    expect(JSON.stringify(elsewhere.seen)).not.toMatch(/authorization|s3cret/i);
  });
});
