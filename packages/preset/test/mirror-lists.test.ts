import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { RegistryServer } from "@mote/server";
import { addImage } from "@mote/testbed";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type MirrorSettings, type OpenMote, openMote } from "../src/index.js";
import { addLayer, type FaultyUpstream, startFaultyUpstream } from "./faulty-upstream.js";

let folder: string;
let upstream: FaultyUpstream;
let mote: OpenMote;
const opened: AsyncDisposable[] = [];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "mote-lists-"));
  upstream = await startFaultyUpstream();
  opened.push(upstream);
});
afterEach(async () => {
  for (const each of opened.splice(0).reverse()) await each[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

async function serveMirror(settings: Partial<MirrorSettings> = {}): Promise<RegistryServer> {
  const registries = { retries: 0 };
  mote = await openMote({ dir: join(folder, "mirror"), registries });
  opened.push(mote);
  const server = await mote.serve({ mirror: { upstreams: [`up.example=http://${upstream.host}`], ...settings } });
  opened.push(server);
  return server;
}

const get = ({ url }: RegistryServer, path: string) => fetch(`${url}/v2/${path}`);

/** Reads all pages. */
async function all(server: RegistryServer, path: string, key: string): Promise<string[]> {
  const names: string[] = [];
  let next: string | undefined = path;
  while (next !== undefined) {
    const response = await get(server, next);
    names.push(...(((await response.json()) as Record<string, string[]>)[key] ?? []));
    next = /^<\/v2\/(.*)>; rel="next"$/.exec(response.headers.get("link") ?? "")?.[1];
  }
  return names;
}

/** Has an image with all its content stored, so that its tag is set. */
async function fetchImage(server: RegistryServer, path: string, tag: string): Promise<void> {
  const manifest = (await (await get(server, `${path}/manifests/${tag}`)).json()) as {
    readonly config: { readonly digest: string };
    readonly layers: readonly { readonly digest: string }[];
  };
  for (const { digest } of [manifest.config, ...manifest.layers]) {
    await (await get(server, `${path}/blobs/${digest}`)).arrayBuffer();
  }
  const name = `${path.startsWith("other.example") ? "" : "up.example/"}${path}:${tag}`;
  await vi.waitUntil(() => mote.cache.tags?.resolve(name), { timeout: 30_000 });
}

describe("the tags of an upstream", () => {
  it("are listed in pages, with those that are not stored", async () => {
    for (let n = 1; n <= 5; n++) addLayer(upstream, 10, `v${n}`);
    const server = await serveMirror();
    expect(await all(server, "a/b/tags/list?n=2", "tags")).toEqual(["v1", "v2", "v3", "v4", "v5"]);
    expect(await all(server, "up.example/a/b/tags/list", "tags")).toEqual(["v1", "v2", "v3", "v4", "v5"]);
    expect((await get(server, "no/such/tags/list")).status).toBe(404);
  });

  it("are those that are stored, with a warning, while it is down; an error if none is", async () => {
    addLayer(upstream, 10, "v1");
    addLayer(upstream, 10, "v2");
    const server = await serveMirror();
    await fetchImage(server, "a/b", "v2");
    upstream.faults([/./, "hang up"]);
    const response = await get(server, "a/b/tags/list");
    expect([response.status, response.headers.get("warning")]).toEqual([200, expect.stringMatching(/^111 /)]);
    expect(await response.json()).toEqual({ name: "a/b", tags: ["v2"] });
    expect((await get(server, "other/tags/list")).status).toBe(502);
  });

  it.each([401, 403])("are an error if it responds with %i", async (status) => {
    const server = await serveMirror();
    upstream.faults([/./, { status }]);
    expect((await get(server, "a/b/tags/list")).status).toBe(status);
  });
});

describe("the referrers of a manifest", () => {
  const signature = "application/vnd.example.signature";
  const sbom = "application/vnd.example.sbom";

  it("are those of the upstream and the stored ones, each once, filtered by type", async () => {
    const { manifest } = addLayer(upstream, 10);
    const { repositories } = upstream.registry;
    const refer = (artifactType: string) =>
      addImage(repositories, "a/b", { fields: { subject: manifest, artifactType }, tag: artifactType.slice(-4) })
        .manifest.digest;
    const [signed, listed] = [refer(signature), refer(sbom)];
    const server = await serveMirror();
    await fetchImage(server, "a/b", "ture");
    const read = async (query = "") => {
      const response = await get(server, `a/b/referrers/${manifest.digest}${query}`);
      const { manifests } = (await response.json()) as { readonly manifests: readonly { readonly digest: string }[] };
      return { digests: manifests.map(({ digest }) => digest).sort(), warning: response.headers.get("warning") };
    };
    expect(await read()).toEqual({ digests: [signed, listed].sort(), warning: null });
    expect((await read(`?artifactType=${sbom}`)).digests).toEqual([listed]);
    upstream.faults([/./, "hang up"]);
    expect(await read()).toEqual({ digests: [signed], warning: expect.stringMatching(/^111 /) });
  });

  it("of a manifest that has none are an empty list", async () => {
    const { manifest } = addLayer(upstream, 10);
    const response = await get(await serveMirror(), `a/b/referrers/${manifest.digest}`);
    expect([response.status, await response.json()]).toEqual([200, expect.objectContaining({ manifests: [] })]);
  });
});

describe("the catalog", () => {
  it("lists the repositories of upstreams that have one, and the stored ones, in pages", async () => {
    await using other = await startFaultyUpstream();
    const list = (names: string[]) => ({ status: 200, body: JSON.stringify({ repositories: names }) });
    upstream.faults([/_catalog/, list(["a/b", "c/d"])]);
    other.faults([/_catalog/, list(["a/b", "x/y"])]);
    addImage(other.registry.repositories, "hidden/image", { tag: "1" });
    const upstreams = [`up.example=http://${upstream.host}`, `other.example=http://${other.host}`];
    const server = await serveMirror({ upstreams, defaultUpstream: "up.example" });
    await fetchImage(server, "other.example/hidden/image", "1");
    const expected = ["a/b", "c/d", "other.example/a/b", "other.example/hidden/image", "other.example/x/y"];
    expect(await all(server, "_catalog", "repositories")).toEqual(expected);
    expect(await all(server, "_catalog?n=2", "repositories")).toEqual(expected);
    expect(await all(server, "_catalog?ns=other.example", "repositories")).toEqual(["a/b", "hidden/image", "x/y"]);
  });

  it("is requested of upstreams in pages of at most 1000 names, because Distribution rejects more", async () => {
    const server = await serveMirror();
    for (const path of ["_catalog", "_catalog?n=5000", "a/b/tags/list?n=5000"]) await get(server, path);
    const sizes = upstream.requested(/[?&]n=/).map(({ url }) => new URL(url, server.url).searchParams.get("n"));
    expect(sizes).toEqual(["1000", "1000", "1000"]);
  });

  it("lists what is stored if no upstream has one, with a warning if one is down", async () => {
    addLayer(upstream, 10);
    const server = await serveMirror();
    await fetchImage(server, "a/b", "1");
    expect(await all(server, "_catalog", "repositories")).toEqual(["a/b"]);
    upstream.faults([/./, "hang up"]);
    const response = await get(server, "_catalog");
    expect(response.headers.get("warning")).toMatch(/^111 /);
    expect(await response.json()).toEqual({ repositories: ["a/b"] });
  });
});

it("lists of an offline mirror are those of the stored content", async () => {
  const { manifest } = addLayer(upstream, 10);
  await fetchImage(await serveMirror(), "a/b", "1");
  const server = await serveMirror({ offline: true });
  expect(await all(server, "a/b/tags/list", "tags")).toEqual(["1"]);
  expect(await all(server, "_catalog", "repositories")).toEqual(["a/b"]);
  expect((await get(server, `a/b/referrers/${manifest.digest}`)).status).toBe(200);
});
