import { type ContentEvent, type Descriptor, digestBytes, mediaTypes } from "@mote/core";
import { afterEach, describe, expect, it } from "vitest";
import { cutAfter, type Intercept, refuse, sendRange, serveImage } from "../../test/fake-registry.js";
import { makeImage } from "../../test/image.js";
import { codeOf, read, sameBytes } from "../../test/outcome.js";
import type { TestServer } from "../../test/server.js";
import { RegistryClient, type RegistryClientOptions } from "../client.js";
import { RegistryRepository } from "./repository.js";

const image = makeImage(300_000);
const [layer = image.config] = image.layers;
const bytes = image.blobs.get(layer.digest) ?? new Uint8Array();

const opened: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one[Symbol.asyncDispose]();
});

async function start(
  intercept: Intercept,
  options: RegistryClientOptions = {},
): Promise<{ server: TestServer; repository: RegistryRepository; events: ContentEvent[] }> {
  const events: ContentEvent[] = [];
  const server = await serveImage(image, (request, response) => {
    if (request.url?.endsWith(digestBytes(new Uint8Array()))) return response.end() === response;
    return request.url?.includes(layer.digest) ? intercept(request, response) : false;
  });
  const client = new RegistryClient({ retryDelayMs: 1, ...options, onEvent: (event) => events.push(event) });
  opened.push(server, client);
  return { server, events, repository: new RegistryRepository(client, { registry: server.host, repository: "a/b" }) };
}

describe("a blob", () => {
  it("is read completely, and from any offset", async () => {
    const { repository } = await start(() => false);
    expect(sameBytes(await read(await repository.blob(layer)), bytes)).toBe(true);
    for (const start of [1, 100_000, layer.size - 1]) {
      expect(sameBytes(await read(await repository.blob(layer, { start })), bytes.subarray(start))).toBe(true);
    }
  });

  it("is empty at its end, without a request", async () => {
    const { repository, server } = await start(() => false);
    expect(await read(await repository.blob(layer, { start: layer.size }))).toHaveLength(0);
    expect(server.seen).toHaveLength(0);
  });

  it("is read if it is empty", async () => {
    const empty: Descriptor = { mediaType: mediaTypes.octetStream, digest: digestBytes(new Uint8Array()), size: 0 };
    const { repository } = await start(() => false);
    expect(await read(await repository.blob(empty))).toHaveLength(0);
  });

  it("continues at the same byte after a break, with If-Range", async () => {
    let cuts = 0;
    const { repository, server, events } = await start((_request, response) => {
      if (cuts++ > 0) return false;
      cutAfter(response, bytes, 120_000);
      return true;
    });
    expect(sameBytes(await read(await repository.blob(layer)), bytes)).toBe(true);
    expect(server.seen.map(({ headers }) => [headers.range, headers["if-range"]])).toEqual([
      [undefined, undefined],
      [`bytes=120000-${layer.size - 1}`, '"one"'],
    ]);
    expect(events).toMatchObject([{ type: "resume", offset: 120_000, digest: layer.digest, repository: "a/b" }]);
  });

  it("continues after a break even if the source ignores ranges", async () => {
    let cuts = 0;
    const { repository } = await start((_request, response) => {
      if (cuts++ === 0) cutAfter(response, bytes, 120_000);
      else response.writeHead(200, { "content-length": bytes.byteLength }).end(bytes);
      return true;
    });
    expect(sameBytes(await read(await repository.blob(layer)), bytes)).toBe(true);
  });

  it("is read from an offset even if the source ignores ranges", async () => {
    const { repository } = await start((_request, response) => {
      response.writeHead(200, { "content-length": bytes.byteLength }).end(bytes);
      return true;
    });
    const part = await read(await repository.blob(layer, { start: 250_000 }));
    expect(sameBytes(part, bytes.subarray(250_000))).toBe(true);
  });

  it("is complete if the connection breaks after its last byte", async () => {
    const { repository, server } = await start((_request, response) => {
      response.writeHead(200, { "transfer-encoding": "chunked" });
      response.write(bytes, () => response.socket?.destroy());
      return true;
    });
    expect(sameBytes(await read(await repository.blob(layer)), bytes)).toBe(true);
    expect(server.seen).toHaveLength(1);
  });

  it("is hashed completely if it is resumed", async () => {
    let cuts = 0;
    const { repository } = await start((request, response) => {
      const wrong = bytes.slice();
      wrong[5] = (wrong[5] ?? 0) ^ 1;
      if (cuts++ === 0) cutAfter(response, wrong, 120_000);
      else sendRange(request, response, bytes);
      return true;
    });
    expect(await codeOf(read(await repository.blob(layer)))).toBe("MOTE_DIGEST_MISMATCH");
  });

  it("continues after a break although the host is down for a while", async () => {
    let asked = 0;
    const { repository, server } = await start(
      (_request, response) => {
        if (++asked === 1) cutAfter(response, bytes, 120_000);
        else if (asked < 9) response.socket?.destroy();
        return asked < 9;
      },
      { retries: 3 },
    );
    expect(sameBytes(await read(await repository.blob(layer)), bytes)).toBe(true);
    expect(server.seen.slice(1).map(({ headers }) => headers.range)).toEqual(
      Array(8).fill(`bytes=120000-${layer.size - 1}`),
    );
  });

  it("is unreachable, after a limited number of requests, if the registry stays down after a break", async () => {
    let asked = 0;
    const { repository, server } = await start(
      (_request, response) => {
        if (++asked === 1) cutAfter(response, bytes, 120_000);
        else response.socket?.destroy();
        return true;
      },
      { retries: 2 },
    );
    expect(await codeOf(repository.blob(layer).then(read))).toBe("MOTE_UNREACHABLE");
    expect(server.seen).toHaveLength(7);
  });

  it("ends in an error, after a limited number of requests, if it is interrupted repeatedly", async () => {
    const { repository, server } = await start(
      (request, response) => {
        const start = Number(/\d+/.exec(request.headers.range ?? "0")?.[0]);
        response.writeHead(start > 0 ? 206 : 200, {
          "content-length": bytes.byteLength - start,
          "content-range": `bytes ${start}-${bytes.byteLength - 1}/${bytes.byteLength}`,
        });
        response.write(bytes.subarray(start, start + 1000), () => response.socket?.destroy());
        return true;
      },
      { retries: 3 },
    );
    expect(await codeOf(read(await repository.blob(layer)))).toBe("MOTE_SIZE_MISMATCH");
    expect(server.count("GET")).toBe(4);
  });

  it("with wrong bytes fails, and is returned unchanged without verification", async () => {
    const wrong = new Uint8Array(layer.size);
    const { repository } = await start((_request, response) => {
      response.writeHead(200, { "content-length": wrong.byteLength }).end(wrong);
      return true;
    });
    expect(await codeOf(read(await repository.blob(layer)))).toBe("MOTE_DIGEST_MISMATCH");
    expect(sameBytes(await read(await repository.blob(layer, { verifyOnRead: false })), wrong)).toBe(true);
  });

  it("with another Content-Length is rejected before its first byte", async () => {
    for (const length of [layer.size - 1, layer.size + 1]) {
      const { repository } = await start((_request, response) => {
        response.writeHead(200, { "content-length": length }).end(new Uint8Array(length));
        return true;
      });
      expect(await codeOf(repository.blob(layer, { verifyOnRead: false }))).toBe("MOTE_SIZE_MISMATCH");
    }
  });

  it("that is longer or shorter without a Content-Length is a size mismatch, also without verification", async () => {
    for (const length of [0, layer.size - 1, layer.size + 1, layer.size * 2]) {
      const { repository } = await start((_request, response) => {
        response.writeHead(200, { "transfer-encoding": "chunked" });
        response.end(new Uint8Array(length));
        return true;
      });
      expect(await codeOf(read(await repository.blob(layer, { verifyOnRead: false })))).toBe("MOTE_SIZE_MISMATCH");
    }
  });

  it("ends in a timeout if it stalls, before its headers or in its body", async () => {
    const head = await start(() => true, { idleTimeoutMs: 250, retries: 0 });
    expect(await codeOf(head.repository.blob(layer))).toBe("MOTE_TIMEOUT");
    const body = await start(
      (_request, response) => {
        response.writeHead(200, { "content-length": bytes.byteLength });
        response.write(bytes.subarray(0, 1000));
        return true;
      },
      { idleTimeoutMs: 250, retries: 0 },
    );
    expect(await codeOf(read(await body.repository.blob(layer)))).toBe("MOTE_TIMEOUT");
  });

  it("rejects with the reason of the signal, before its headers or in its body", async () => {
    const reason = new Error("enough");
    const abort = new AbortController();
    const head = await start(() => {
      abort.abort(reason);
      return true;
    });
    expect(await codeOf(head.repository.blob(layer, { signal: abort.signal }))).toBe(reason);

    const late = new AbortController();
    const body = await start((_request, response) => {
      response.writeHead(200, { "content-length": bytes.byteLength });
      response.write(bytes.subarray(0, 1000));
      return true;
    });
    const reader = await body.repository.blob(layer, { signal: late.signal });
    const reading = (async () => {
      for await (const _ of reader) late.abort(reason);
    })();
    expect(await codeOf(reading)).toBe(reason);
  });

  it("that is interrupted between reads is an error only at the next read", async () => {
    let cut: (() => void) | undefined;
    const { repository, server } = await start((_request, response) => {
      if (cut !== undefined) return false;
      response.writeHead(200, { "content-length": bytes.byteLength });
      response.write(bytes.subarray(0, 1000));
      cut = () => response.socket?.destroy();
      return true;
    });
    const reader = await repository.blob(layer);
    cut?.();
    await repository.resolve("v1");
    expect(sameBytes(await read(reader), bytes)).toBe(true);
    expect(server.count("GET")).toBe(2);
  });

  it("is read once, and can be closed more than once", async () => {
    const { repository } = await start(() => false);
    const reader = await repository.blob(layer);
    await read(reader);
    expect(await codeOf(read(reader))).toBe("MOTE_CLOSED");
    await reader.close();
    await reader.close();
    const unread = await repository.blob(layer);
    await unread.close();
    expect(await codeOf(read(unread))).toBe("MOTE_CLOSED");
  });

  it("is not found if it is absent, and the error says where", async () => {
    const { repository, server } = await start((_request, response) => {
      refuse(response, 404, "BLOB_UNKNOWN");
      return true;
    });
    await expect(repository.blob(layer)).rejects.toMatchObject({
      code: "MOTE_NOT_FOUND",
      details: { registry: server.host, repository: "a/b", digest: layer.digest, status: 404 },
    });
  });

  it("rejects invalid digests and offsets", async () => {
    const { repository, server } = await start(() => false);
    const forged = { ...layer, digest: "sha256:../../../x" as Descriptor["digest"] };
    expect(await codeOf(repository.blob(forged))).toBe("MOTE_INVALID_DIGEST");
    for (const start of [-1, 0.5, Number.NaN]) {
      expect(await codeOf(repository.blob(layer, { start }))).toBeInstanceOf(TypeError);
    }
    expect(server.seen).toHaveLength(0);
  });
});
