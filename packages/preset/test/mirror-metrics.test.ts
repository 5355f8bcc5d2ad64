import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Digest, digestBytes } from "@mote/core";
import type { RegistryServer } from "@mote/server";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { type OpenMote, openMote } from "../src/index.js";
import { type FailingRegistry, startFailingRegistry } from "./failing-registry.js";

const layer: Digest = digestBytes(new TextEncoder().encode("first"));

let folder: string;
let upstream: FailingRegistry;
let mote: OpenMote;
let server: RegistryServer;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "mote-metrics-"));
  upstream = await startFailingRegistry();
  const registries = { retries: 1, retryDelayMs: 1 };
  mote = await openMote({ dir: folder, registries, maxSize: 1_000_000 });
  const upstreams = [`up.example=http://${upstream.host}`];
  server = await mote.serve({ mirror: { upstreams, freshMs: 0 }, version: "1.2.3" });
});
afterEach(async () => {
  await server.close();
  await mote.close();
  await upstream[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

/** Sends a request and returns its status and the bytes of its body. */
async function get(path: string, init: RequestInit = {}) {
  const response = await fetch(`${server.url}${path}`, init);
  return { status: response.status, bytes: (await response.arrayBuffer()).byteLength };
}

/** Returns each metric by its name and labels. */
async function metrics(): Promise<ReadonlyMap<string, number>> {
  const text = await (await fetch(`${server.url}/metrics`)).text();
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.split(" ").at(-1))]));
}

interface StatusJson {
  readonly hits: number;
  readonly misses: number;
  readonly cache: object;
  readonly bytes: object;
  readonly upstreams: readonly { readonly name: string; readonly state: string }[];
  readonly fills: readonly object[];
}

const status = async () => (await (await fetch(`${server.url}/api/status`)).json()) as StatusJson;

/** Pulls manifests and blobs, cold and warm, at once and one by one, with errors; returns the answers that had content. */
async function useAll(): Promise<{ status: number; bytes: number }[]> {
  const answers = [
    ...(await Promise.all(Array.from({ length: 8 }, () => get("/v2/a/b/manifests/1")))),
    await get(`/v2/a/b/blobs/${layer}`, { headers: { range: "bytes=1-2" } }),
    ...(await Promise.all(Array.from({ length: 8 }, () => get(`/v2/a/b/blobs/${layer}`)))),
    await get("/v2/a/b/manifests/absent"),
    await get(`/v2/a/b/blobs/${digestBytes(new Uint8Array(9))}`),
    await get(`/v2/a/b/blobs/${layer}`, { method: "HEAD" }),
  ];
  let failures = 2;
  upstream.fail((_, response) => {
    if (failures-- <= 0) return false;
    response.writeHead(503).end();
    return true;
  });
  answers.push(await get("/v2/a/b/manifests/1"), await get("/v2/a/b/manifests/1"));
  return answers.filter(({ status }) => status < 400);
}

it("the metrics of a mirror agree with the log of its upstream", async () => {
  const answers = await useAll();
  const found = await metrics();
  const statuses = upstream.log.map(({ status }) => status);
  for (const status of new Set(statuses)) {
    const logged = statuses.filter((each) => each === status).length;
    expect([status, found.get(`mote_upstream_requests_total{upstream="up.example",status="${status}"}`)]).toEqual([
      status,
      logged,
    ]);
  }
  expect(new Set(statuses)).toEqual(new Set([200, 206, 404, 503]));
  const labels = [...found.keys()].filter((name) => name.startsWith("mote_upstream_requests_total"));
  expect(labels.length).toBe(new Set(statuses).size);
  const logged = upstream.log.reduce((sum, { bytes }) => sum + bytes, 0);
  expect(found.get('mote_upstream_bytes_total{upstream="up.example"}')).toBe(logged);
  expect(found.get("mote_served_bytes_total")).toBe(answers.reduce((sum, { bytes }) => sum + bytes, 0));
  expect((found.get("mote_hits_total") ?? 0) + (found.get("mote_misses_total") ?? 0)).toBe(answers.length);
  expect(found.get("mote_first_byte_seconds_count")).toBe(answers.filter(({ bytes }) => bytes > 0).length);
});

it("a hit is an answer without a request to the upstream, and a miss is one with", async () => {
  await get("/v2/a/b/manifests/1");
  expect(await status()).toMatchObject({ hits: 0, misses: 1 });
  await get(`/v2/a/b/blobs/${layer}`);
  expect(await status()).toMatchObject({ hits: 0, misses: 2 });
  const asked = upstream.asked.length;
  await get(`/v2/a/b/blobs/${layer}`);
  await get(`/v2/a/b/blobs/${layer}`, { headers: { "if-none-match": `"${layer}"` } });
  expect(upstream.asked.length).toBe(asked);
  expect(await status()).toMatchObject({ hits: 2, misses: 2 });
  await get("/v2/a/b/manifests/absent");
  expect(await status()).toMatchObject({ hits: 2, misses: 2 });
});

it("the status tells the size of the cache, the rate limit and the state of the upstream", async () => {
  upstream.headers["ratelimit-limit"] = "100;w=21600";
  upstream.headers["ratelimit-remaining"] = "76;w=21600";
  await get("/v2/a/b/manifests/1");
  await get(`/v2/a/b/blobs/${layer}`);
  const blobs = join(folder, "blobs", "sha256");
  const stored = readdirSync(blobs).reduce((sum, name) => sum + statSync(join(blobs, name)).size, 0);
  expect(await status()).toMatchObject({
    version: "1.2.3",
    address: server.url,
    cache: { bytes: stored, maxBytes: 1_000_000 },
    upstreams: [
      {
        name: "up.example",
        state: "closed",
        rateLimit: { limit: 100, remaining: 76, windowSeconds: 21_600 },
        lastSuccessMs: expect.any(Number),
        lastError: null,
      },
    ],
    fills: [],
  });
  upstream.fail((_, response) => response.writeHead(500).end() === response);
  for (const tag of ["2", "3", "4"]) await get(`/v2/a/b/manifests/${tag}`);
  expect((await status()).upstreams).toMatchObject([{ state: "open", lastError: { message: expect.any(String) } }]);
  expect((await metrics()).get('mote_upstream_up{upstream="up.example"}')).toBe(0);
});

it("the status lists a running fetch with its progress", async () => {
  await get("/v2/a/b/manifests/1");
  let proceed = () => {};
  const isAsked = new Promise<void>((resolve) => {
    upstream.fail((request, response) => {
      if (request.method !== "GET") return false;
      response.writeHead(200, { "content-length": 5 });
      response.write("fi", () => resolve());
      proceed = () => response.end("rst");
      return true;
    });
  });
  const pulled = get(`/v2/a/b/blobs/${layer}`);
  await isAsked;
  expect((await status()).fills).toMatchObject([{ digest: layer, repository: "up.example/a/b", size: 5 }]);
  expect((await metrics()).get("mote_fills_in_flight")).toBe(1);
  proceed();
  expect(await pulled).toEqual({ status: 200, bytes: 5 });
  await vi.waitFor(async () => expect((await status()).fills).toEqual([]), { timeout: 30_000 });
});
