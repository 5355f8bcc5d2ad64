import { describe, expect, it } from "vitest";
import { type Intercept, refuse } from "../../test/fake-registry.js";
import { codeOf, sameBytes } from "../../test/outcome.js";
import { serveUploads, type UploadServer } from "../../test/upload-server.js";
import { blob, bytes, chunked, inPieces, on, opened, start, whole } from "../../test/upload-setup.js";

const arrived = (server: UploadServer) => sameBytes(bytes, server.blobs.get(blob.digest));

describe("an upload after an error", () => {
  it("continues after the bytes of the chunk that the registry has", async () => {
    for (const kept of [0, 12_345, 30_000]) {
      let pieces = 0;
      const { server, events, destination } = await start(inPieces, ({ sessions }) => async (request, response) => {
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

  it("continues after 416, 429, 500 or 503, and waits for Retry-After", async () => {
    for (const status of [416, 429, 500, 503]) {
      const { server, events, destination } = await start(
        inPieces,
        on("PATCH", 2, (_, response) => refuse(response, status, "TOOMANYREQUESTS", { "retry-after": "0" })),
      );
      await destination.blob(blob, chunked(bytes));
      expect(arrived(server)).toBe(true);
      expect(events).toHaveLength(2);
    }
  });

  it("continues if the registry stores only a part of a chunk", async () => {
    let pieces = 0;
    const { server, destination } = await start(inPieces, ({ sessions }) => async (request, response) => {
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

  it("starts again if the session is lost with its first chunk, and fails if it is lost later", async () => {
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
    const first = await start(inPieces, losing(1));
    await first.destination.blob(blob, chunked(bytes));
    expect(arrived(first.server)).toBe(true);
    pieces = 0;
    const later = await start(inPieces, losing(3));
    expect(await codeOf(later.destination.blob(blob, chunked(bytes)))).toBe("MOTE_UPLOAD_LOST");
  });

  it("succeeds if only the response to its end was lost", async () => {
    for (const options of [whole, inPieces]) {
      const { server, destination } = await start(options, ({ blobs, sessions }) => async (request, response) => {
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

  it("in one request is repeated completely", async () => {
    const { server, destination } = await start(
      whole,
      on("PUT", 2, (_, response) => response.socket?.destroy()),
    );
    await destination.blob(blob, chunked(bytes));
    expect(server.count("PUT")).toBe(3);
    expect(arrived(server)).toBe(true);
    await expect.poll(() => server.sessions.size).toBe(0);
  });

  it("ends after repeated errors, and leaves no session open", async () => {
    for (const [options, method] of [
      [whole, "PUT"],
      [inPieces, "PATCH"],
      [inPieces, "PUT"],
    ] as const) {
      const { server, destination } = await start(
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
  it("continues when the registry is up again", async () => {
    for (const [options, method] of [
      [inPieces, "PATCH"],
      [inPieces, "PUT"],
      [whole, "PUT"],
    ] as const) {
      let failures: number | undefined;
      const { server, destination } = await start({ ...options, retries: 3 }, () => (request, response) => {
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
  it("because of its source ends in the source's error, and stores nothing", async () => {
    const failure = new Error("the source broke");
    for (const [options, lie] of [
      [whole, undefined],
      [inPieces, undefined],
      [inPieces, on("PATCH", 1, (_, response) => response.writeHead(405).end())],
    ] as const) {
      const { server, destination } = await start(options, lie);
      expect(await codeOf(destination.blob(blob, chunked(bytes, failure)))).toBe(failure);
      expect(server.blobs.size).toBe(0);
      await expect.poll(() => server.sessions.size).toBe(0);
    }
  });

  it("because of more or fewer bytes is a size mismatch", async () => {
    for (const options of [whole, inPieces]) {
      for (const wrong of [bytes.subarray(1), new Uint8Array(Buffer.concat([bytes, new Uint8Array(1)]))]) {
        const { server, destination } = await start(options);
        expect(await codeOf(destination.blob(blob, chunked(wrong)))).toBe("MOTE_SIZE_MISMATCH");
        expect(server.blobs.size).toBe(0);
      }
    }
  });

  it("because of its digest is a digest mismatch", async () => {
    const wrong = new Uint8Array(blob.size);
    for (const options of [whole, inPieces]) {
      const { server, destination } = await start(options);
      expect(await codeOf(destination.blob(blob, chunked(wrong)))).toBe("MOTE_DIGEST_MISMATCH");
      expect(server.blobs.size).toBe(0);
    }
  });

  it("because of an abort rejects with its reason, and closes its session", async () => {
    const reason = new Error("enough");
    const abort = new AbortController();
    const { server, destination } = await start(
      inPieces,
      on("PATCH", 1, () => abort.abort(reason)),
    );
    expect(await codeOf(destination.blob(blob, chunked(bytes), { signal: abort.signal }))).toBe(reason);
    await expect.poll(() => server.sessions.size).toBe(0);
  });

  it("because of an abort ends even while it waits for the source", async () => {
    const reason = new Error("enough");
    const abort = new AbortController();
    const stuck = async function* () {
      yield bytes.subarray(0, 10);
      abort.abort(reason);
      await new Promise(() => {});
    };
    const { server, destination } = await start(inPieces);
    expect(await codeOf(destination.blob(blob, stuck(), { signal: abort.signal }))).toBe(reason);
    await expect.poll(() => server.sessions.size).toBe(0);
  });

  it("closes its source", async () => {
    let closed = false;
    const watched = async function* () {
      try {
        yield* chunked(bytes);
      } finally {
        closed = true;
      }
    };
    const { destination } = await start(
      inPieces,
      on("PATCH", 1, (_, response) => refuse(response, 403, "DENIED")),
    );
    expect(await codeOf(destination.blob(blob, watched()))).toBe("MOTE_FORBIDDEN");
    expect(closed).toBe(true);
  });

  it("because it is forbidden says so", async () => {
    const { destination } = await start(
      whole,
      on("POST", 1, (_, response) => refuse(response, 403, "DENIED")),
    );
    expect(await codeOf(destination.blob(blob, chunked(bytes)))).toBe("MOTE_FORBIDDEN");
  });

  it("because the registry returns no session says so", async () => {
    const { destination } = await start(
      whole,
      on("POST", 1, (_, response) => response.writeHead(202).end()),
    );
    expect(await codeOf(destination.blob(blob, chunked(bytes)))).toBe("MOTE_REGISTRY");
  });
});

describe("an upload whose session is on another host", () => {
  it("is sent there without credentials", async () => {
    const elsewhere = await serveUploads();
    opened.push(elsewhere);
    elsewhere.sessions.set("/elsewhere", new Uint8Array());
    const { server, destination } = await start(
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
