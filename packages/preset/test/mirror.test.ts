import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { RegistryServer } from "@mote/server";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type MirrorSettings, type OpenMoteOptions, openMote } from "../src/index.js";
import { type FailingRegistry, type Failure, startFailingRegistry } from "./failing-registry.js";

let folder: string;
let upstream: FailingRegistry;
const opened: AsyncDisposable[] = [];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "mote-mirror-"));
  upstream = await startFailingRegistry();
});
afterEach(async () => {
  for (const each of opened.splice(0).reverse()) await each[Symbol.asyncDispose]();
  await upstream[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

async function serveMirror(
  settings: Partial<MirrorSettings> = {},
  options: Partial<OpenMoteOptions> = {},
): Promise<RegistryServer> {
  const registries = { retries: 0 };
  const mote = await openMote({ dir: join(folder, "mirror"), registries, ...options });
  opened.push(mote);
  const upstreams = [`up.example=http://${upstream.host}`];
  const server = await mote.serve({ mirror: { upstreams, ...settings } });
  opened.push(server);
  return server;
}

/** Pulls the image into a new cache. */
async function pull({ host, port }: RegistryServer, name: string): Promise<string | undefined> {
  const dir = mkdtempSync(join(folder, "client-"));
  const client = await openMote({ dir, registries: { retries: 0 } });
  opened.push(client);
  const report = await client.pull(`docker://${host}:${port}/${name}`);
  return report.refs[0]?.descriptor.digest;
}

const manifestOf = ({ url }: RegistryServer, path = "a/b/manifests/1") => fetch(`${url}/v2/${path}`);
const respondWith = (status: number, headers: Record<string, string> = {}): Failure => {
  return (_, response) => {
    response.writeHead(status, headers).end();
    return true;
  };
};

describe("an image", () => {
  it.each(["a/b:1", "up.example/a/b:1"])("is pulled through a mirror as %s, each of its parts once", async (name) => {
    const server = await serveMirror();
    const digest = await pull(server, name);
    expect(await pull(server, name)).toBe(digest);
    const gets = upstream.asked.filter((request) => request.startsWith("GET"));
    expect(new Set(gets).size).toBe(gets.length);
    expect(gets.length).toBe(3);
  });

  it("is served when the upstream is down, with a warning once its tag is not fresh", async () => {
    const server = await serveMirror({ freshMs: 0 });
    const digest = await pull(server, "a/b:1");
    upstream.fail(respondWith(503));
    expect(await pull(server, "a/b:1")).toBe(digest);
    const response = await manifestOf(server);
    expect(response.status).toBe(200);
    expect(response.headers.get("warning")).toMatch(/^111 /);
    expect(response.headers.get("docker-content-digest")).toBe(digest);
  });

  it("of a tag that moved is the new one when the tag is no longer fresh", async () => {
    const server = await serveMirror({ freshMs: 0 });
    const digest = await pull(server, "a/b:1");
    upstream.move();
    expect(await pull(server, "a/b:1")).not.toBe(digest);
  });

  it("is served offline", async () => {
    const digest = await pull(await serveMirror(), "a/b:1");
    const requests = upstream.asked.length;
    const offline = await serveMirror({ offline: true, freshMs: 0 });
    expect(await pull(offline, "a/b:1")).toBe(digest);
    expect((await manifestOf(offline, "a/b/manifests/2")).status).toBe(404);
    expect(upstream.asked.length).toBe(requests);
  });
});

it("a blob that was requested without its manifest is served when the upstream is down, also to another name that it confirmed", async () => {
  const server = await serveMirror();
  const { layers } = (await (await manifestOf(server)).json()) as { layers: { digest: string }[] };
  const blobOf = async ({ url }: RegistryServer, path: string) => {
    const response = await fetch(`${url}/v2/${path}/blobs/${layers[0]?.digest}`);
    await response.arrayBuffer();
    return response.status;
  };
  const other = await serveMirror({}, { dir: join(folder, "other") });
  for (const path of ["a/b", "a/b", "c/d"]) expect(await blobOf(other, path)).toBe(200);
  expect(upstream.asked.filter((request) => request.startsWith("HEAD /v2/a/b/blobs/"))).toHaveLength(1);
  upstream.fail(respondWith(503));
  for (const path of ["a/b", "c/d"]) expect(await blobOf(other, path)).toBe(200);
  expect(await blobOf(other, "e/f")).toBe(502);
});

it("the cache of a mirror is pruned to its size", async () => {
  const messages: string[] = [];
  const info = (message: string) => void messages.push(message);
  const logger = { debug() {}, info, warn() {}, error() {} };
  const server = await serveMirror({}, { maxSize: 1, logger });
  await pull(server, "a/b:1");
  await vi.waitUntil(() => messages.some((message) => /pruned|maximum size/.test(message)), { timeout: 30_000 });
});

describe("what is not stored", () => {
  it.each([
    [404, 404, {}],
    [401, 401, {}],
    [403, 403, {}],
    [500, 502, {}],
    [503, 502, {}],
    [429, 429, { "retry-after": "7" }],
  ])("is an error when the upstream responds with %i: %i", async (status, expected, headers) => {
    const server = await serveMirror();
    upstream.fail(respondWith(status, headers));
    const response = await manifestOf(server);
    expect(response.status).toBe(expected);
    expect(response.headers.get("retry-after")).toBe(Object.values(headers)[0] ?? null);
    expect((await response.json()) as object).toHaveProperty("errors");
  });

  it("is an error when the upstream cannot be reached: 502, and 503 after three of them", async () => {
    const server = await serveMirror();
    upstream.fail((request) => {
      request.socket.destroy();
      return true;
    });
    const statuses: number[] = [];
    for (const tag of ["1", "2", "3", "4"]) statuses.push((await manifestOf(server, `a/b/manifests/${tag}`)).status);
    expect(statuses).toEqual([502, 502, 502, 503]);
  });

  it("is not requested of a host that a client names", async () => {
    const server = await serveMirror();
    expect((await manifestOf(server, `a/b/manifests/1?ns=${upstream.host}`)).status).toBe(404);
    expect(upstream.asked).toEqual([]);
  });
});
