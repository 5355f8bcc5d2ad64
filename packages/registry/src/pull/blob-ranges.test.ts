import { type ContentEvent, digestBytes } from "@mote/core";
import { afterEach, describe, expect, it } from "vitest";
import { cutAfter, type Intercept, sendRange, serveImage } from "../../test/fake-registry.js";
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

describe("a blob that is read by ranges", () => {
  it("is read completely after a wrong range, and fails if that response is a range too", async () => {
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
      const { server, repository } = await start((_request, response) => {
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

  it("is read from the requested offset to the end if a range starts earlier or is smaller", async () => {
    const { server, repository } = await start((request, response) => {
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

  it("ends in an error, after a limited number of requests, if every range is too small", async () => {
    const { server, repository } = await start(
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

  it("continues after a break if every range, or every range without an end, is 416", async () => {
    for (const rejected of [/./, /-$/]) {
      let cuts = 0;
      const { server, repository } = await start((request, response) => {
        if (cuts++ === 0) cutAfter(response, bytes, 120_000);
        else if (!rejected.test(request.headers.range ?? "")) return false;
        else response.writeHead(416, { "content-range": `bytes */${layer.size}`, "content-length": 0 }).end();
        return true;
      });
      expect(sameBytes(await read(await repository.blob(layer)), bytes)).toBe(true);
      expect(server.seen).toHaveLength(rejected.test("x") ? 3 : 2);
      expect(server.seen.map(({ headers }) => headers.range).join()).not.toMatch(/-$|-,\d|\d,\d/);
    }
  });

  it("is not requested by ranges again after they did not help", async () => {
    let answers = 0;
    const { server, repository } = await start((request, response) => {
      if (request.headers.range !== undefined) response.writeHead(206, { "content-length": 0 }).end();
      else if (++answers < 3) cutAfter(response, bytes, answers * 100_000);
      else return false;
      return true;
    });
    expect(sameBytes(await read(await repository.blob(layer)), bytes)).toBe(true);
    expect(server.seen.map(({ headers }) => headers.range !== undefined)).toEqual([false, true, false, false]);
  });

  it("with another total in Content-Range is a size mismatch, and so is an unsatisfiable range", async () => {
    const { repository } = await start((_request, response) => {
      response.writeHead(206, { "content-range": `bytes 10-${layer.size}/${layer.size + 1}` }).end(bytes.subarray(9));
      return true;
    });
    expect(await codeOf(repository.blob(layer, { start: 10 }))).toBe("MOTE_SIZE_MISMATCH");
    for (const range of [undefined, `bytes */${layer.size - 1}`]) {
      const shorter = await start((_request, response) => {
        response.writeHead(416, range === undefined ? {} : { "content-range": range }).end();
        return true;
      });
      expect(await codeOf(shorter.repository.blob(layer, { start: 10 }))).toBe("MOTE_SIZE_MISMATCH");
    }
  });

  it("that changes its size between two ranges is a size mismatch", async () => {
    let cuts = 0;
    const { repository } = await start((request, response) => {
      if (cuts++ === 0) cutAfter(response, bytes, 1000);
      else sendRange(request, response, new Uint8Array(layer.size + 7));
      return true;
    });
    expect(await codeOf(read(await repository.blob(layer)))).toBe("MOTE_SIZE_MISMATCH");
  });
});
