import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { digestBytes, mediaTypes } from "@mote/core";
import { type ChaosProxy, type SimulatedRegistry, startChaosProxy, startSimulatedRegistry } from "@mote/testbed";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { builtInEncoders, parseDelta } from "../../../packages/delta/src/index.js";
import { type BuiltImage, twoVersions } from "../../../packages/preset/test/versions.js";
import { mainFile, runMote } from "./run-mote.js";

const root = mkdtempSync(join(tmpdir(), "mote-delta-command-"));
let registry: SimulatedRegistry;
let proxy: ChaosProxy;
let next: BuiltImage;
/** The tar-diff of the delta. */
let diff: string;
let cache: string;

const env = () => ({ MOTE_CACHE_DIR: cache, HOME: root, DOCKER_CONFIG: root });
const app = (tag: string) => `${proxy.host}/team/app:${tag}`;

beforeAll(async () => {
  await using encoders = builtInEncoders();
  const { old, next: newer } = await twoVersions(encoders.list);
  next = newer;
  registry = await startSimulatedRegistry({ name: "as specified", behaviours: [], lacks: {} });
  proxy = await startChaosProxy(registry.host);
  for (const [tag, { manifest, blobs }] of Object.entries({ 1: old, 2: next })) {
    for (const blob of blobs) registry.repositories.addBlob("team/app", blob);
    registry.repositories.addManifest("team/app", manifest.bytes, mediaTypes.ociManifest, tag);
  }
  cache = mkdtempSync(join(root, "cache-"));
  const made = await runMote(["delta", app("1"), app("2"), `docker://${proxy.host}/team/app`], { env: env() });
  expect(made).toMatchObject({ status: 0, stderr: "" });
  expect(made.stdout).toMatch(/^linux\/amd64: .* instead of .* %\n/);
  const digest = /@(sha256:[0-9a-f]{64})\n$/.exec(made.stdout)?.[1] ?? "";
  const manifest = registry.repositories.manifest("team/app", digest)?.bytes ?? new Uint8Array();
  diff = parseDelta(manifest).recipes[0]?.diff?.digest ?? "";
});
afterAll(async () => {
  await proxy[Symbol.asyncDispose]();
  await registry[Symbol.asyncDispose]();
  rmSync(root, { recursive: true });
});

beforeEach(async () => {
  proxy.inject(() => undefined);
  cache = mkdtempSync(join(root, "cache-"));
  await runMote(["pull", app("1")], { env: env() });
});

async function expectPulled(): Promise<void> {
  for (const bytes of next.blobs) {
    const info = await runMote(["info", digestBytes(bytes), "--json"], { env: env() });
    expect(JSON.parse(info.stdout)).toMatchObject({ size: bytes.byteLength, verified: true });
  }
}

it("a pull makes the layers from the delta and says how much that saved", async () => {
  const pulled = await runMote(["pull", app("2"), "--delta", "always"], { env: env() });
  expect(pulled.stderr).toBe("");
  expect(pulled.stdout).toMatch(/fetched .*, rebuilt .* \(2 blobs\), .* from the cache/);
  await expectPulled();
});

it("a damaged delta is one warning on stderr that contains the word delta, and the layers are fetched", async () => {
  proxy.inject(({ url }) => (url.endsWith(diff) ? { flipAt: 50 } : undefined));
  const pulled = await runMote(["pull", app("2"), "--delta", "always"], { env: env() });
  expect(pulled.status).toBe(0);
  expect(pulled.stderr).toMatch(/^mote: .*delta.*\n$/);
  await expectPulled();
});

it("sync rebuilds layers too, and rejects another value of --delta", async () => {
  proxy.requests.length = 0;
  const target = `oci:${join(cache, "..", "synced")}`;
  const synced = await runMote(["sync", `docker://${app("2")}`, target, "--delta", "always"], { env: env() });
  expect(synced).toMatchObject({ status: 0, stderr: "" });
  const fetched = proxy.requests.filter(({ url }) => url.endsWith(digestBytes(next.blobs[2] ?? new Uint8Array())));
  expect(fetched.filter(({ method, headers }) => method === "GET" && headers.range === undefined)).toEqual([]);
  const wrong = await runMote(["sync", `docker://${app("2")}`, target, "--delta", "sometimes"], { env: env() });
  expect(wrong.status).toBe(2);
});

it("what a killed pull has spooled is removed by the next one, which completes the image", async () => {
  const folders = () =>
    readdirSync(join(cache, ".mote", "ingest"), { withFileTypes: true }).filter((entry) => entry.isDirectory());
  let child: ChildProcess | undefined;
  const stalled = new Promise<void>((resolve) => {
    proxy.inject(({ url }) => {
      if (!url.endsWith(diff)) return undefined;
      resolve();
      return { stallAfter: 10 };
    });
    const environment = { PATH: process.env.PATH, ...env() };
    child = spawn(process.execPath, [mainFile, "pull", app("2"), "--delta", "always"], { env: environment });
  });
  await stalled;
  expect(folders()).toHaveLength(1);
  child?.kill("SIGKILL");
  if (child !== undefined) await once(child, "close");
  proxy.inject(() => undefined);
  const pulled = await runMote(["pull", app("2"), "--delta", "always"], { env: env() });
  expect(pulled).toMatchObject({ status: 0, stderr: "" });
  expect(folders()).toEqual([]);
  await expectPulled();
});
