import { describe, expect, it } from "vitest";
import { type Intercept, refuse } from "../../test/fake-registry.js";
import { arrived, bodyOf, bytes, describeBytes, inPieces, methods, open, send } from "../../test/quirks-setup.js";
import type { UploadServer } from "../../test/upload-server.js";

/** Stores each PATCH without checking its offset, and responds with the given status and headers. */
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

describe("chunks that a registry stores", () => {
  it("are each sent once, for any Range in the response", async () => {
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

  it("are accepted with any status from 200 to 299, with or without a Location, or with that of the blob", async () => {
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

  it("that do not add up are sent again in one request", async () => {
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

  it("continue at the offset in a 416, without another request", async () => {
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
