import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { RegistryServer } from "@mote/server";
import type { Effect } from "@mote/testbed";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type MirrorSettings, type OpenMoteOptions, openMote } from "../src/index.js";
import { addLayer, type FaultyUpstream, startFaultyUpstream } from "./faulty-upstream.js";

let folder: string;
let upstream: FaultyUpstream;
const opened: AsyncDisposable[] = [];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "mote-mirror-"));
  upstream = await startFaultyUpstream();
  opened.push(upstream);
});
afterEach(async () => {
  for (const each of opened.splice(0).reverse()) await each[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

/** For an upstream that falls silent. Others are given time, because a busy machine is silent too. */
const shortWaits = { answerTimeoutMs: 500, idleTimeoutMs: 500 };

type Settings = Partial<MirrorSettings> & Pick<OpenMoteOptions, "maxSize" | "logger" | "registries">;

async function serveMirror({ maxSize, logger, registries, ...settings }: Settings = {}): Promise<RegistryServer> {
  const limits = { retries: 1, ...registries };
  const mote = await openMote({ dir: join(folder, "mirror"), registries: limits, maxSize, logger });
  opened.push(mote);
  const upstreams = [`up.example=http://${upstream.host}`];
  const server = await mote.serve({ mirror: { upstreams, ...settings } });
  opened.push(server);
  return server;
}

const request = ({ url }: RegistryServer, path: string, init?: RequestInit) => fetch(`${url}/v2/${path}`, init);
const bytesOf = async (response: Response) => new Uint8Array(await response.arrayBuffer());

/** Returns the body as far as it comes. */
async function bodyBeforeError(response: Response): Promise<{ readonly bytes: number; readonly complete: boolean }> {
  let bytes = 0;
  try {
    for await (const chunk of response.body ?? []) bytes += chunk.byteLength;
    return { bytes, complete: true };
  } catch {
    return { bytes, complete: false };
  }
}

describe("a blob", () => {
  const size = 3_000_000;

  it("is requested once for sixteen cold clients, each of which gets it", async () => {
    const { path, bytes } = addLayer(upstream, size);
    const server = await serveMirror();
    const bodies = await Promise.all(Array.from({ length: 16 }, async () => bytesOf(await request(server, path))));
    for (const body of bodies) expect(Buffer.compare(body, bytes)).toBe(0);
    expect(upstream.requested(/GET .*blobs/).length).toBe(1);
  });

  it("continues at the byte where its connection was cut, with a closed range", async () => {
    const { path, bytes } = addLayer(upstream, size);
    const server = await serveMirror();
    upstream.faults([/GET .*blobs/, { cutAfter: 1_000_000 }, undefined]);
    expect(Buffer.compare(await bytesOf(await request(server, path)), bytes)).toBe(0);
    const ranges = upstream.requested(/GET .*blobs/).map(({ headers }) => headers.range);
    expect(ranges).toEqual([undefined, `bytes=1000000-${size - 1}`]);
  });

  it("continues at the byte where its upstream fell silent", async () => {
    const { path, bytes } = addLayer(upstream, size);
    const server = await serveMirror({ registries: { idleTimeoutMs: shortWaits.idleTimeoutMs } });
    upstream.faults([/GET .*blobs/, { stallAfter: 1_000_000 }, undefined]);
    expect(Buffer.compare(await bytesOf(await request(server, path)), bytes)).toBe(0);
    expect(upstream.requested(/GET .*blobs/)[1]?.headers.range).toBe(`bytes=1000000-${size - 1}`);
  });

  it("continues at the same byte from the registry if its mirror fails", async () => {
    const { path, bytes } = addLayer(upstream, size);
    await using first = await startFaultyUpstream();
    addLayer(first, size);
    first.faults([/GET .*blobs/, { cutAfter: 1_000_000 }, { status: 500 }]);
    const registries = { mirrors: { [upstream.host]: [`http://${first.host}`] } };
    const server = await serveMirror({ upstreams: [upstream.host], registries });
    expect(Buffer.compare(await bytesOf(await request(server, path)), bytes)).toBe(0);
    expect(upstream.requested(/GET .*blobs/).map(({ headers }) => headers.range)).toEqual([
      `bytes=1000000-${size - 1}`,
    ]);
  });

  it("is read from a mirror of its registry while that is down, also its size and a range", async () => {
    const { path, bytes } = addLayer(upstream, size);
    await using first = await startFaultyUpstream();
    addLayer(first, size);
    upstream.faults([/./, "hang up"]);
    const registries = { mirrors: { [upstream.host]: [`http://${first.host}`] } };
    const server = await serveMirror({ upstreams: [upstream.host], registries });
    expect((await request(server, path, { method: "HEAD" })).headers.get("content-length")).toBe(String(size));
    const part = await request(server, path, { headers: { range: "bytes=2000000-2000009" } });
    expect(Buffer.compare(await bytesOf(part), bytes.subarray(2_000_000, 2_000_010))).toBe(0);
    expect((await request(server, "a/b/manifests/1")).status).toBe(200);
  });

  it.each<[string, Effect]>([
    ["a wrong bit at its beginning", { flipAt: 10 }],
    ["a wrong bit at its end", { flipAt: size - 1 }],
    ["other bytes of the same length", { body: new Uint8Array(size) }],
  ])("with %s never arrives complete, and the next request gets the right bytes", async (_, fault) => {
    const { path, bytes } = addLayer(upstream, size);
    const server = await serveMirror();
    upstream.faults([/GET .*blobs/, fault]);
    const response = await request(server, path);
    expect((await bodyBeforeError(response)).complete).toBe(false);
    upstream.faults();
    expect(Buffer.compare(await bytesOf(await request(server, path)), bytes)).toBe(0);
  });

  it.each<[string, Effect]>([
    ["fewer bytes", { body: new Uint8Array(size - 1), headers: { "content-length": String(size - 1) } }],
    ["more bytes", { body: new Uint8Array(size + 1), headers: { "content-length": String(size + 1) } }],
    ["fewer bytes than it announces", { body: new Uint8Array(size - 1) }],
    ["no length", { headers: { "content-length": undefined }, body: new Uint8Array(size + 5) }],
  ])("of which the upstream sends %s is an error", async (_, fault) => {
    const { path } = addLayer(upstream, size);
    const server = await serveMirror({ registries: shortWaits });
    await request(server, "a/b/manifests/1");
    upstream.faults([/GET .*blobs/, fault]);
    const response = await request(server, path);
    if (response.status === 200) expect((await bodyBeforeError(response)).complete).toBe(false);
    else expect(response.status).toBe(502);
  });

  it("is fetched from where its registry redirects to", async () => {
    const { path, digest, bytes } = addLayer(upstream, 1_000);
    const server = await serveMirror();
    const location = `http://${upstream.registry.host}/v2/a/b/blobs/${digest}`;
    upstream.faults([/blobs/, { status: 307, headers: { location } }]);
    expect(Buffer.compare(await bytesOf(await request(server, path)), bytes)).toBe(0);
  });

  it("is not fetched for a HEAD request", async () => {
    const { path } = addLayer(upstream, size);
    const server = await serveMirror();
    const { status, headers } = await request(server, path, { method: "HEAD" });
    expect([status, headers.get("content-length")]).toEqual([200, String(size)]);
    expect(upstream.requested(/GET .*blobs/)).toEqual([]);
  });

  it("is fetched in the background after a request of a range, which is requested alone", async () => {
    const { path, bytes } = addLayer(upstream, size);
    const server = await serveMirror();
    const response = await request(server, path, { headers: { range: "bytes=2500000-2500099" } });
    expect(response.status).toBe(206);
    expect(Buffer.compare(await bytesOf(response), bytes.subarray(2_500_000, 2_500_100))).toBe(0);
    await vi.waitUntil(() => upstream.requested(/GET .*blobs/).length === 2, { timeout: 30_000 });
    const ranges = upstream.requested(/GET .*blobs/).map(({ headers }) => headers.range);
    expect(ranges).toContain("bytes=2500000-2500099");
    expect(ranges).toContain(undefined);
  });
});

describe("a tag that is no longer fresh", () => {
  it.each<[string, Effect]>([
    ["down", "hang up"],
    ["broken (500)", { status: 500 }],
    ["unavailable (503)", { status: 503 }],
    ["busy (429)", { status: 429 }],
    ["busy for a minute (429)", { status: 429, headers: { "retry-after": "60" } }],
    ["silent", "silence"],
  ])("is served with a warning if its upstream is %s", async (_, fault) => {
    const { manifest } = addLayer(upstream, 10);
    const registries = fault === "silence" ? shortWaits : {};
    const server = await serveMirror({ freshMs: 0, registries });
    await request(server, "a/b/manifests/1");
    upstream.faults([/./, fault]);
    const response = await request(server, "a/b/manifests/1");
    expect(response.status).toBe(200);
    expect(response.headers.get("warning")).toMatch(/^111 /);
    expect(response.headers.get("docker-content-digest")).toBe(manifest.digest);
    expect((await request(server, `a/b/manifests/${manifest.digest}`)).headers.get("warning")).toBeNull();
  });

  it("resolves to what it has moved to, and to nothing after it was deleted", async () => {
    addLayer(upstream, 10);
    const server = await serveMirror({ freshMs: 0 });
    await request(server, "a/b/manifests/1");
    const { repositories } = upstream.registry;
    const moved = addLayer(upstream, 20, "2").manifest.digest;
    repositories.get("a/b").tags.set("1", moved);
    expect((await request(server, "a/b/manifests/1")).headers.get("docker-content-digest")).toBe(moved);
    repositories.get("a/b").tags.delete("1");
    expect((await request(server, "a/b/manifests/1")).status).toBe(404);
    expect((await request(server, `a/b/manifests/${moved}`)).status).toBe(200);
  });

  it.each([401, 403, 404])("is an error if its upstream responds with %i", async (status) => {
    addLayer(upstream, 10);
    const server = await serveMirror({ freshMs: 0 });
    await request(server, "a/b/manifests/1");
    upstream.faults([/./, { status }]);
    expect((await request(server, "a/b/manifests/1")).status).toBe(status);
  });
});

describe("what is not stored", () => {
  it.each<[string, Effect, number]>([
    ["down", "hang up", 502],
    ["broken", { status: 500 }, 502],
    ["unavailable", { status: 503 }, 502],
    ["busy", { status: 429 }, 429],
    ["silent", "silence", 504],
    ["a web site", { status: 200, body: "<html>", headers: { "content-type": "text/html" } }, 502],
  ])("is an error, and never 404, if its upstream is %s", async (_, fault, status) => {
    const { path, manifest } = addLayer(upstream, 10);
    const server = await serveMirror({ registries: fault === "silence" ? shortWaits : {} });
    upstream.faults([/./, fault]);
    for (const asked of ["a/b/manifests/1", `a/b/manifests/${manifest.digest}`]) {
      expect((await request(server, asked)).status).toBe(status);
    }
    const blob = (await request(server, path)).status;
    expect(blob === status || blob === 502).toBe(true);
  });

  it.each([
    ["seconds", () => "30"],
    ["a date", () => new Date(Date.now() + 30_000).toUTCString()],
  ])("is not requested before the time that a busy upstream gives in %s", async (_, retryAfter) => {
    const { path } = addLayer(upstream, 10);
    const server = await serveMirror();
    upstream.faults([/manifests/, { status: 429, headers: { "retry-after": retryAfter() } }]);
    const first = await request(server, "a/b/manifests/1");
    const requests = upstream.requested(/manifests/).length;
    const second = await request(server, "a/b/manifests/2");
    expect([first.status, second.status]).toEqual([429, 429]);
    expect(Number(second.headers.get("retry-after"))).toBeGreaterThan(20);
    expect(upstream.requested(/manifests/).length).toBe(requests);
    expect((await request(server, path)).status).toBe(200);
  });

  it("is requested again after wrong bytes, which do not stop requests", async () => {
    const layers = [1, 2, 3, 4].map((n) => addLayer(upstream, 1_000 + n, `t${n}`));
    const server = await serveMirror();
    upstream.faults([/GET .*blobs/, { flipAt: 5 }]);
    for (const { path } of layers) expect((await request(server, path)).status).toBe(502);
    upstream.faults();
    for (const { path, bytes } of layers) {
      expect(Buffer.compare(await bytesOf(await request(server, path)), bytes)).toBe(0);
    }
  });
});

it("two upstreams with the same names are told apart", async () => {
  await using other = await startFaultyUpstream();
  const [one, two] = [addLayer(upstream, 10), addLayer(other, 20)];
  const upstreams = [`one.example=http://${upstream.host}`, `two.example=http://${other.host}`];
  const server = await serveMirror({ upstreams, defaultUpstream: "one.example" });
  const digestOf = async (path: string) => (await request(server, path)).headers.get("docker-content-digest");
  expect(await digestOf("a/b/manifests/1")).toBe(one.manifest.digest);
  expect(await digestOf("a/b/manifests/1?ns=two.example")).toBe(two.manifest.digest);
  expect(await digestOf("two.example/a/b/manifests/1")).toBe(two.manifest.digest);
  expect((await request(server, `${two.path}?ns=two.example`)).status).toBe(200);
  expect((await request(server, two.path)).status).toBe(404);
  expect((await request(server, `a/b/manifests/${two.manifest.digest}`)).status).toBe(404);
});

it("the size of the cache outranks the leases of manifests that were just served, and a miss is fetched again", async () => {
  const layers = [1, 2, 3].map((n) => addLayer(upstream, 400_000 + n, `t${n}`));
  const pruned: unknown[] = [];
  const info = (message: string) => void (message === "pruned" && pruned.push(message));
  const logger = { debug() {}, info, warn() {}, error() {} };
  const server = await serveMirror({ maxSize: 500_000, logger });
  for (const [n, { path, bytes }] of layers.entries()) {
    expect((await request(server, `a/b/manifests/t${n + 1}`)).status).toBe(200);
    expect(Buffer.compare(await bytesOf(await request(server, path)), bytes)).toBe(0);
  }
  await vi.waitUntil(() => pruned.length > 0, { timeout: 30_000 });
  for (const { path, bytes } of layers) {
    expect(Buffer.compare(await bytesOf(await request(server, path)), bytes)).toBe(0);
  }
  expect(upstream.requested(/GET .*blobs/).length).toBeGreaterThan(3);
});
