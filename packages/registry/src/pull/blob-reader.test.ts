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

async function lying(
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
  it("is read completely, and in part from any byte", async () => {
    const { repository } = await lying(() => false);
    expect(sameBytes(await read(await repository.blob(layer)), bytes)).toBe(true);
    for (const start of [1, 100_000, layer.size - 1]) {
      expect(sameBytes(await read(await repository.blob(layer, { start })), bytes.subarray(start))).toBe(true);
    }
  });

  it("from its end on is empty, without a request", async () => {
    const { repository, server } = await lying(() => false);
    expect(await read(await repository.blob(layer, { start: layer.size }))).toHaveLength(0);
    expect(server.seen).toHaveLength(0);
  });

  it("of no bytes is read", async () => {
    const empty: Descriptor = { mediaType: mediaTypes.octetStream, digest: digestBytes(new Uint8Array()), size: 0 };
    const { repository } = await lying(() => false);
    expect(await read(await repository.blob(empty))).toHaveLength(0);
  });

  it("that is cut off continues at the same byte, with If-Range", async () => {
    let cuts = 0;
    const { repository, server, events } = await lying((_request, response) => {
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

  it("that is cut off continues also if the source ignores ranges", async () => {
    let cuts = 0;
    const { repository } = await lying((_request, response) => {
      if (cuts++ === 0) cutAfter(response, bytes, 120_000);
      else response.writeHead(200, { "content-length": bytes.byteLength }).end(bytes);
      return true;
    });
    expect(sameBytes(await read(await repository.blob(layer)), bytes)).toBe(true);
  });

  it("is read from a byte also where the source ignores ranges", async () => {
    const { repository } = await lying((_request, response) => {
      response.writeHead(200, { "content-length": bytes.byteLength }).end(bytes);
      return true;
    });
    const part = await read(await repository.blob(layer, { start: 250_000 }));
    expect(sameBytes(part, bytes.subarray(250_000))).toBe(true);
  });

  it("that is cut off after its last byte is complete", async () => {
    const { repository, server } = await lying((_request, response) => {
      response.writeHead(200, { "transfer-encoding": "chunked" });
      response.write(bytes, () => response.socket?.destroy());
      return true;
    });
    expect(sameBytes(await read(await repository.blob(layer)), bytes)).toBe(true);
    expect(server.seen).toHaveLength(1);
  });

  it("that is resumed is still hashed as a whole", async () => {
    let cuts = 0;
    const { repository } = await lying((request, response) => {
      const wrong = bytes.slice();
      wrong[5] = (wrong[5] ?? 0) ^ 1;
      if (cuts++ === 0) cutAfter(response, wrong, 120_000);
      else sendRange(request, response, bytes);
      return true;
    });
    expect(await codeOf(read(await repository.blob(layer)))).toBe("MOTE_DIGEST_MISMATCH");
  });

  it("that is cut off continues although the host is down for a while", async () => {
    let asked = 0;
    const { repository, server } = await lying(
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

  it("whose registry does not come back after a cut is unreachable, after a bounded number of requests", async () => {
    let asked = 0;
    const { repository, server } = await lying(
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

  it("that is cut off again and again ends in an error, after a bounded number of requests", async () => {
    const { repository, server } = await lying(
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

  it("of wrong bytes never ends cleanly, and is passed on as it is without verification", async () => {
    const wrong = new Uint8Array(layer.size);
    const { repository } = await lying((_request, response) => {
      response.writeHead(200, { "content-length": wrong.byteLength }).end(wrong);
      return true;
    });
    expect(await codeOf(read(await repository.blob(layer)))).toBe("MOTE_DIGEST_MISMATCH");
    expect(sameBytes(await read(await repository.blob(layer, { verifyOnRead: false })), wrong)).toBe(true);
  });

  it("announced in another size is refused before its first byte", async () => {
    for (const length of [layer.size - 1, layer.size + 1]) {
      const { repository } = await lying((_request, response) => {
        response.writeHead(200, { "content-length": length }).end(new Uint8Array(length));
        return true;
      });
      expect(await codeOf(repository.blob(layer, { verifyOnRead: false }))).toBe("MOTE_SIZE_MISMATCH");
    }
  });

  it("that is longer or shorter than announced nowhere is a size mismatch, also unverified", async () => {
    for (const length of [0, layer.size - 1, layer.size + 1, layer.size * 2]) {
      const { repository } = await lying((_request, response) => {
        response.writeHead(200, { "transfer-encoding": "chunked" });
        response.end(new Uint8Array(length));
        return true;
      });
      expect(await codeOf(read(await repository.blob(layer, { verifyOnRead: false })))).toBe("MOTE_SIZE_MISMATCH");
    }
  });

  it("answered with another range than asked for is read completely, and an error where that is a range, too", async () => {
    const ranges = [
      "bytes 10-20",
      "",
      `bytes 11-${layer.size - 1}/${layer.size}`,
      `bytes 10-${layer.size}/${layer.size}`,
      `bytes 10-9/${layer.size}`,
      "multipart/byteranges",
    ];
    for (const range of ranges) {
      let lies = 1;
      const { server, repository } = await lying((_request, response) => {
        if (lies-- > 0)
          response
            .writeHead(206, { "content-range": range, "content-length": bytes.byteLength - 10 })
            .end(bytes.subarray(10));
        return lies >= 0;
      });
      const part = await read(await repository.blob(layer, { start: 10 }));
      expect([range, sameBytes(part, bytes.subarray(10))]).toEqual([range, true]);
      expect(server.seen.map(({ headers }) => headers.range)).toEqual([`bytes=10-${layer.size - 1}`, undefined]);
      lies = 99;
      expect([range, await codeOf(repository.blob(layer, { start: 10 }))]).toEqual([range, "MOTE_REGISTRY"]);
    }
  });

  it("answered with a range that begins earlier or is smaller is read from the byte that is wanted to the end", async () => {
    const { server, repository } = await lying((request, response) => {
      const wanted = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1]);
      const start = wanted - (wanted % 1000);
      const end = Math.min(start + 100_000, layer.size);
      response.writeHead(206, {
        "content-range": `bytes ${start}-${end - 1}/${layer.size}`,
        "content-length": end - start,
      });
      response.end(bytes.subarray(start, end));
      return true;
    });
    const part = await read(await repository.blob(layer, { start: 1234 }));
    expect(sameBytes(part, bytes.subarray(1234))).toBe(true);
    expect(server.seen.map(({ headers }) => Number(/\d+/.exec(headers.range ?? "")?.[0]))).toEqual(
      [1234, 101_000, 201_000, 301_000].filter((start) => start < layer.size),
    );
  });

  it("answered with one small part after another ends in an error, after a bounded number of requests", async () => {
    const { server, repository } = await lying(
      (request, response) => {
        const start = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1]);
        response.writeHead(206, { "content-range": `bytes ${start}-${start}/${layer.size}`, "content-length": 1 });
        response.end(bytes.subarray(start, start + 1));
        return true;
      },
      { retries: 3 },
    );
    expect(await codeOf(repository.blob(layer, { start: 7 }).then(read))).toBe("MOTE_SIZE_MISMATCH");
    expect(server.seen).toHaveLength(4);
  });

  it("that is cut off continues if every range, or every range without an end, gets 416", async () => {
    for (const refuses of [/./, /-$/]) {
      let cuts = 0;
      const { server, repository } = await lying((request, response) => {
        if (cuts++ === 0) cutAfter(response, bytes, 120_000);
        else if (!refuses.test(request.headers.range ?? "")) return false;
        else response.writeHead(416, { "content-range": `bytes */${layer.size}`, "content-length": 0 }).end();
        return true;
      });
      expect(sameBytes(await read(await repository.blob(layer)), bytes)).toBe(true);
      expect(server.seen).toHaveLength(refuses.test("x") ? 3 : 2);
      expect(server.seen.map(({ headers }) => headers.range).join()).not.toMatch(/-$|-,\d|\d,\d/);
    }
  });

  it("that is cut off again after its ranges were of no use is not asked for ranges again", async () => {
    let answers = 0;
    const { server, repository } = await lying((request, response) => {
      if (request.headers.range !== undefined) response.writeHead(206, { "content-length": 0 }).end();
      else if (++answers < 3) cutAfter(response, bytes, answers * 100_000);
      else return false;
      return true;
    });
    expect(sameBytes(await read(await repository.blob(layer)), bytes)).toBe(true);
    expect(server.seen.map(({ headers }) => headers.range !== undefined)).toEqual([false, true, false, false]);
  });

  it("whose total by Content-Range is another is a size mismatch, and so is a range that is not satisfiable", async () => {
    const { repository } = await lying((_request, response) => {
      response.writeHead(206, { "content-range": `bytes 10-${layer.size}/${layer.size + 1}` }).end(bytes.subarray(9));
      return true;
    });
    expect(await codeOf(repository.blob(layer, { start: 10 }))).toBe("MOTE_SIZE_MISMATCH");
    for (const range of [undefined, `bytes */${layer.size - 1}`]) {
      const shorter = await lying((_request, response) => {
        response.writeHead(416, range === undefined ? {} : { "content-range": range }).end();
        return true;
      });
      expect(await codeOf(shorter.repository.blob(layer, { start: 10 }))).toBe("MOTE_SIZE_MISMATCH");
    }
  });

  it("that changes its size between two parts is a size mismatch", async () => {
    let cuts = 0;
    const { repository } = await lying((request, response) => {
      if (cuts++ === 0) cutAfter(response, bytes, 1000);
      else sendRange(request, response, new Uint8Array(layer.size + 7));
      return true;
    });
    expect(await codeOf(read(await repository.blob(layer)))).toBe("MOTE_SIZE_MISMATCH");
  });

  it("that stalls ends in a timeout, before its head and within its body", async () => {
    const head = await lying(() => true, { idleTimeoutMs: 250, retries: 0 });
    expect(await codeOf(head.repository.blob(layer))).toBe("MOTE_TIMEOUT");
    const body = await lying(
      (_request, response) => {
        response.writeHead(200, { "content-length": bytes.byteLength });
        response.write(bytes.subarray(0, 1000));
        return true;
      },
      { idleTimeoutMs: 250, retries: 0 },
    );
    expect(await codeOf(read(await body.repository.blob(layer)))).toBe("MOTE_TIMEOUT");
  });

  it("ends with the signal's own reason, before its head and within its body", async () => {
    const reason = new Error("enough");
    const abort = new AbortController();
    const head = await lying(() => {
      abort.abort(reason);
      return true;
    });
    expect(await codeOf(head.repository.blob(layer, { signal: abort.signal }))).toBe(reason);

    const late = new AbortController();
    const body = await lying((_request, response) => {
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

  it("that breaks off while it is not read is an error only when it is read", async () => {
    let cut: (() => void) | undefined;
    const { repository, server } = await lying((_request, response) => {
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

  it("is read once; closed it gives nothing, and closing again is harmless", async () => {
    const { repository } = await lying(() => false);
    const reader = await repository.blob(layer);
    await read(reader);
    expect(await codeOf(read(reader))).toBe("MOTE_CLOSED");
    await reader.close();
    await reader.close();
    const unread = await repository.blob(layer);
    await unread.close();
    expect(await codeOf(read(unread))).toBe("MOTE_CLOSED");
  });

  it("that is absent is not found, and says where", async () => {
    const { repository, server } = await lying((_request, response) => {
      refuse(response, 404, "BLOB_UNKNOWN");
      return true;
    });
    await expect(repository.blob(layer)).rejects.toMatchObject({
      code: "MOTE_NOT_FOUND",
      details: { registry: server.host, repository: "a/b", digest: layer.digest, status: 404 },
    });
  });

  it("takes a digest that is one, and a start that is a count of bytes", async () => {
    const { repository, server } = await lying(() => false);
    const forged = { ...layer, digest: "sha256:../../../x" as Descriptor["digest"] };
    expect(await codeOf(repository.blob(forged))).toBe("MOTE_INVALID_DIGEST");
    for (const start of [-1, 0.5, Number.NaN]) {
      expect(await codeOf(repository.blob(layer, { start }))).toBeInstanceOf(TypeError);
    }
    expect(server.seen).toHaveLength(0);
  });
});
