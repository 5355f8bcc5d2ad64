import type { ContentEvent } from "@mote/core";
import { afterEach, describe, expect, it } from "vitest";
import { type Intercept, refuse, sendRange, serveImage } from "../test/fake-registry.js";
import { makeImage } from "../test/image.js";
import { codeOf, read, sameBytes, shownBy } from "../test/outcome.js";
import { serve } from "../test/server.js";
import { RegistryClient, type RegistryClientOptions } from "./client.js";
import { RegistryRepository } from "./pull/repository.js";

const image = makeImage(300_000);
const [layer = image.config] = image.layers;
const bytes = image.blobs.get(layer.digest) ?? new Uint8Array();

const opened: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one[Symbol.asyncDispose]();
});

async function start(intercept: Intercept, options: RegistryClientOptions = {}) {
  const events: ContentEvent[] = [];
  const server = await serveImage(image, intercept);
  const client = new RegistryClient({ retryDelayMs: 1, ...options, onEvent: (event) => events.push(event) });
  opened.push(server, client);
  const repository = new RegistryRepository(client, { registry: server.host, repository: "a/b" });
  return { server, client, events, repository };
}

describe("a redirect", () => {
  const credentials = { get: async () => ({ kind: "password", username: "ann", password: "s3cret" }) as const };

  it("to another origin is followed without credentials and without the registry's headers", async () => {
    const storage = await serve((request, response) => sendRange(request, response, bytes));
    opened.push(storage);
    for (const status of [301, 302, 303, 307, 308]) {
      const { repository, server } = await start(
        (request, response) => {
          if (request.headers.authorization === undefined) {
            refuse(response, 401, "UNAUTHORIZED", { "www-authenticate": "Basic realm=x" });
          } else response.writeHead(status, { location: `http://${storage.host}/file?X-Signature=s1gned` }).end();
          return true;
        },
        { credentials, headers: { "x-secret": "s3cret" } },
      );
      expect(sameBytes(await read(await repository.blob(layer)), bytes)).toBe(true);
      expect(sameBytes(await read(await repository.blob(layer, { start: 7 })), bytes.subarray(7))).toBe(true);
      expect(server.seen.at(-1)?.headers["x-secret"]).toBe("s3cret");
    }
    expect(storage.seen).toHaveLength(10);
    expect(storage.seen.at(-1)?.headers.range).toBe(`bytes=7-${layer.size - 1}`);
    expect(JSON.stringify(storage.seen.map(({ headers }) => headers))).not.toMatch(/authorization|s3cret/i);
  });

  it("back from another origin has no credentials", async () => {
    const other = await serve((_, response) => response.writeHead(302, { location: `http://${home}/v2/back` }).end());
    opened.push(other);
    const { repository, server } = await start(
      (request, response) => {
        if (request.url === "/v2/back") sendRange(request, response, bytes);
        else if (request.headers.authorization === undefined) {
          refuse(response, 401, "UNAUTHORIZED", { "www-authenticate": "Basic realm=x" });
        } else response.writeHead(302, { location: `http://${other.host}/` }).end();
        return true;
      },
      { credentials },
    );
    const home = server.host;
    await read(await repository.blob(layer));
    expect(server.seen.map(({ url, headers }) => [url === "/v2/back", headers.authorization !== undefined])).toEqual([
      [false, false],
      [false, true],
      [true, false],
    ]);
  });

  it("within the origin keeps the credentials", async () => {
    const { repository } = await start(
      (request, response) => {
        if (request.headers.authorization === undefined) {
          refuse(response, 401, "UNAUTHORIZED", { "www-authenticate": "Basic realm=x" });
        } else if (request.url !== "/moved") response.writeHead(307, { location: "/moved" }).end();
        else sendRange(request, response, bytes);
        return true;
      },
      { credentials },
    );
    expect(sameBytes(await read(await repository.blob(layer)), bytes)).toBe(true);
  });

  it("in a circle, or to something other than an http URL, is an error", async () => {
    for (const location of ["/again", "file:///etc/passwd", "http://[", "data:text/plain,x"]) {
      const { repository, server } = await start(
        (_, response) => response.writeHead(302, { location }).end() === response,
      );
      expect([location, await codeOf(repository.blob(layer))]).toEqual([location, "MOTE_REGISTRY"]);
      expect(server.seen.length).toBeLessThanOrEqual(6);
    }
  });

  it("to a host that rejects the request names that host, without the signature of the URL", async () => {
    const storage = await serve((request, response) => response.writeHead(403).end(`no access to ${request.url}`));
    opened.push(storage);
    const location = `http://${storage.host}/file?X-Signature=s1gned`;
    const { repository } = await start((_, response) => response.writeHead(302, { location }).end() === response);
    const refused = repository.blob(layer);
    expect(await codeOf(refused)).toBe("MOTE_FORBIDDEN");
    const shown = await shownBy(refused);
    expect(shown).toContain(storage.host);
    expect(shown).not.toContain("s1gned");
  });

  it("to an unreachable host names that host, without the signature of the URL", async () => {
    const storage = await serve(() => {});
    await storage[Symbol.asyncDispose]();
    const location = `http://ann:s3cret@${storage.host}/file?X-Signature=s1gned`;
    const { repository } = await start((_, response) => response.writeHead(302, { location }).end() === response);
    const failed = repository.blob(layer);
    await expect(failed).rejects.toMatchObject({ code: "MOTE_UNREACHABLE", details: { host: storage.host } });
    expect(await shownBy(failed)).not.toMatch(/s1gned|s3cret/);
  });

  it("back to the registry from another origin has no credentials", async () => {
    const away = await serve((_, response) =>
      response.writeHead(302, { location: `http://${server.host}/back` }).end(),
    );
    const { repository, server } = await start(
      (request, response) => {
        if (request.url === "/back") sendRange(request, response, bytes);
        else if (request.headers.authorization === undefined) {
          refuse(response, 401, "UNAUTHORIZED", { "www-authenticate": "Basic" });
        } else response.writeHead(302, { location: `http://${away.host}/` }).end();
        return true;
      },
      { credentials: { get: async () => ({ kind: "password", username: "ann", password: "s3cret" }) } },
    );
    opened.push(away);
    expect(sameBytes(await read(await repository.blob(layer)), bytes)).toBe(true);
    expect(away.seen[0]?.headers.authorization).toBeUndefined();
    expect(server.seen.at(-1)).toMatchObject({ url: "/back" });
    expect(server.seen.at(-1)?.headers.authorization).toBeUndefined();
  });
});
