import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  addImage,
  type ChaosProxy,
  type SimulatedRegistry,
  startChaosProxy,
  startSimulatedRegistry,
} from "@mote/testbed";
import { afterEach, beforeEach, expect, it } from "vitest";
import { endServing, startServe } from "./start-serve.js";

let root: string;
let upstream: SimulatedRegistry;
let proxy: ChaosProxy;

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), "mote-processes-"));
  upstream = await startSimulatedRegistry({ name: "plain", behaviours: [], lacks: {} });
  proxy = await startChaosProxy(upstream.host);
});
afterEach(async () => {
  await endServing();
  await proxy[Symbol.asyncDispose]();
  await upstream[Symbol.asyncDispose]();
  rmSync(root, { recursive: true, force: true });
});

const start = () => startServe(join(root, "cache"), ["--upstream", `up.example=http://${proxy.host}`]);
const requested = (pattern: RegExp) => proxy.requests.filter(({ method, url }) => pattern.test(`${method} ${url}`));

async function digestOf(response: Response): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of response.body ?? []) hash.update(chunk);
  return `sha256:${hash.digest("hex")}`;
}

it("mirrors in several processes get a manifest and a blob once for all their clients", async () => {
  const { manifest, layers } = addImage(upstream.repositories, "team/app", { tag: "1", layers: [5_000_000] });
  const digest = layers[0]?.digest;
  const servers = await Promise.all(Array.from({ length: 3 }, start));
  const clients = Array.from({ length: 12 }, (_, at) => servers[at % servers.length]);
  const all = (path: string) =>
    Promise.all(clients.map(async (server) => digestOf(await fetch(`${server?.url}/v2/team/app/${path}`))));
  expect(new Set(await all("manifests/1"))).toEqual(new Set([manifest.digest]));
  expect(new Set(await all(`blobs/${digest}`))).toEqual(new Set([digest]));
  expect(requested(/^GET .*manifests/).length).toBe(1);
  expect(requested(/^HEAD .*manifests/).length).toBe(1);
  expect(requested(/^GET .*blobs/).length).toBe(1);
});

it("a mirror continues the fetch of one that was killed, at the same byte, for a client that was waiting", async () => {
  const size = 5_000_000;
  const { layers } = addImage(upstream.repositories, "team/app", { tag: "1", layers: [size] });
  const digest = layers[0]?.digest;
  const [first, second] = [await start(), await start()];
  let isKilled = false;
  proxy.inject(({ method, url }) =>
    method === "GET" && url.includes("/blobs/") && !isKilled ? { stallAfter: 2_000_000 } : undefined,
  );
  const broken = fetch(`${first.url}/v2/team/app/blobs/${digest}`);
  const reader = (await broken).body?.getReader();
  for (let bytes = 0; bytes < 2_000_000; ) bytes += (await reader?.read())?.value?.byteLength ?? 0;
  const waiting = fetch(`${second.url}/v2/team/app/blobs/${digest}`);
  const following = await waiting;
  isKilled = true;
  first.child.kill("SIGKILL");
  await expect(reader?.read()).rejects.toThrow();
  expect(await digestOf(following)).toBe(digest);
  const ranges = requested(/^GET .*blobs/).map(({ headers }) => headers.range);
  expect(ranges).toEqual([undefined, `bytes=2000000-${size - 1}`]);
}, 60_000);
