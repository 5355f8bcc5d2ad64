import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mediaTypes } from "@mote/core";
import { freePort, listenOnLoopback } from "@mote/testbed";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type OpenMote, openMote, type RegistryServer } from "../src/index.js";
import { put } from "./images.js";

const json = (body: unknown) => new TextEncoder().encode(JSON.stringify(body));

let dir: string;
let mote: OpenMote;
let server: RegistryServer;
let repository: string;

async function image(created: string | undefined) {
  const config = await put(mote.cache, mediaTypes.ociConfig, json({ os: "linux", architecture: "amd64", created }));
  return put(
    mote.cache,
    mediaTypes.ociManifest,
    json({ schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: [] }),
  );
}

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "mote-tags-"));
  mote = await openMote({ dir: join(dir, "cache") });
  const dates = {
    "1.9": "2024-01-01T00:00:00Z",
    "1.10": "2023-01-01T00:00:00Z",
    "1.10-rc1": "2025-01-01T00:00:00Z",
    edge: undefined,
  };
  for (const [tag, created] of Object.entries(dates)) await mote.tags.tag(`lib/app:${tag}`, await image(created));
  server = await mote.serve({ port: await freePort() });
  repository = `${server.host}:${server.port}/lib/app`;
});

afterAll(async () => {
  await server.close();
  await mote.close();
  await rm(dir, { recursive: true, force: true });
});

describe("tags", () => {
  it("are sorted by name, version or time, filtered, and limited", async () => {
    const tags = async (options: Parameters<OpenMote["listTags"]>[1]) =>
      (await mote.listTags(repository, options)).tags;
    expect(await tags({})).toEqual(["1.10", "1.10-rc1", "1.9", "edge"]);
    expect(await tags({ sort: "semver" })).toEqual(["1.10", "1.10-rc1", "1.9", "edge"]);
    expect(await tags({ sort: "semver", filter: ["1.*", "!*-rc*"], limit: 1 })).toEqual(["1.10"]);
    const timed = await mote.listTags(`docker://${repository}`, { sort: "time", limit: 3 });
    expect(timed).toEqual({
      repository: `docker://${repository}`,
      tags: ["1.10-rc1", "1.9", "1.10"],
      created: {
        "1.10-rc1": "2025-01-01T00:00:00.000Z",
        "1.9": "2024-01-01T00:00:00.000Z",
        "1.10": "2023-01-01T00:00:00.000Z",
      },
    });
  });

  it("are the names in a layout, an archive, and of a repository in the cache", async () => {
    await mote.copy(`${repository}:1.9`, `oci:${dir}/layout:1.9`);
    await mote.copy(`${repository}:1.9`, `docker-archive:${dir}/a.tar:app:1.9`);
    await mote.pull(`${repository}:1.10`);
    expect((await mote.listTags(`oci:${dir}/layout`, { sort: "time" })).tags).toEqual(["1.9"]);
    expect((await mote.listTags(`docker-archive:${dir}/a.tar`, { sort: "time" })).tags).toEqual([
      expect.stringMatching(/app:1.9$/),
    ]);
    await using offline = await openMote({ dir: join(dir, "cache"), offline: true, readOnly: true });
    const stored = await offline.listTags(repository, { sort: "time" });
    expect(stored.tags).toEqual(["1.9", "1.10"]);
  });

  it("are an error for a single image, and for a repository that does not exist", async () => {
    for (const text of [`${repository}:1.9`, `oci:${dir}/layout:1.9`]) {
      await expect(mote.listTags(text)).rejects.toMatchObject({ code: "MOTE_INVALID_REFERENCE" });
    }
    await expect(mote.listTags(`${server.host}:${server.port}/lib/none`)).rejects.toMatchObject({
      code: "MOTE_NOT_FOUND",
    });
  });

  it("are listed from all pages of a registry, and none are an empty list", async () => {
    const all = Array.from({ length: 10_000 }, (_, at) => `v0.${String(at).padStart(5, "0")}`);
    await using registry = await serveTags((after, limit) => {
      const start = after === null ? 0 : all.indexOf(after) + 1;
      return { tags: all.slice(start, start + limit), hasMore: start + limit < all.length };
    });
    const found = await mote.listTags(`${registry.host}/many/tags`, { filter: ["*9"], sort: "semver", limit: 2 });
    expect(found.tags).toEqual(["v0.09999", "v0.09989"]);
    expect((await mote.listTags(`${registry.host}/many/tags`)).tags).toEqual(all);
    await expect(mote.listTags(`${registry.host}/many/tags`, { sort: "time" })).rejects.toMatchObject({
      code: "MOTE_TOO_LARGE",
    });
    await using empty = await serveTags(() => ({ tags: null, hasMore: false }));
    expect((await mote.listTags(`${empty.host}/no/tags`)).tags).toEqual([]);
    await using endless = await serveTags(() => ({ tags: ["a"], hasMore: true }));
    await expect(mote.listTags(`${endless.host}/no/end`)).rejects.toMatchObject({ code: "MOTE_REGISTRY" });
  });
});

type Page = (
  after: string | null,
  limit: number,
) => { readonly tags: readonly string[] | null; readonly hasMore: boolean };

async function serveTags(page: Page): Promise<AsyncDisposable & { readonly host: string }> {
  const http: Server = createServer((request, response) => {
    const url = new URL(request.url ?? "", "http://localhost");
    const { tags, hasMore } = page(url.searchParams.get("last"), Number(url.searchParams.get("n")));
    const link = hasMore ? { link: `<${url.pathname}?last=${tags?.at(-1)}&n=1000>; rel="next"` } : {};
    response.writeHead(200, { "content-type": "application/json", ...link }).end(JSON.stringify({ name: "x", tags }));
  });
  return {
    host: await listenOnLoopback(http),
    async [Symbol.asyncDispose]() {
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
    },
  };
}
