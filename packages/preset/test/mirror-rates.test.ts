import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { type MirrorSettings, openMote } from "../src/index.js";
import { RateLimit } from "../src/transfers/rate-limit.js";
import { addLayer, type FaultyUpstream, startFaultyUpstream } from "./faulty-upstream.js";

let folder: string;
let upstream: FaultyUpstream;
let other: FaultyUpstream;
const opened: AsyncDisposable[] = [];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "mote-rates-"));
  upstream = await startFaultyUpstream();
  other = await startFaultyUpstream();
  opened.push(upstream, other);
});
afterEach(async () => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  for (const each of opened.splice(0).reverse()) await each[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

/** Serves a mirror of `up.example` and `other.example`. Returns a function that requests a path of a repository. */
async function serveMirror(maxRate: MirrorSettings["maxRate"]) {
  const mote = await openMote({ dir: join(folder, "mirror") });
  opened.push(mote);
  const upstreams = [`up.example=http://${upstream.host}`, `other.example=http://${other.host}`];
  const server = await mote.serve({ mirror: { upstreams, maxRate }, graceMs: 0 });
  opened.push(server);
  return (path: string) => fetch(`${server.url}/v2/${path}`);
}

const bytesOf = async (response: Response | Promise<Response>) => new Uint8Array(await (await response).arrayBuffer());

it.each([
  ["the name", () => "up.example"],
  ["the address", () => upstream.host],
])("a rate by %s of an upstream limits what a mirror reads from it, all of it, and nothing else", async (_, host) => {
  const takes: { readonly bytes: number; readonly stream: unknown }[] = [];
  let grant = () => {};
  const isGranted = new Promise<void>((resolve) => {
    grant = resolve;
  });
  vi.spyOn(RateLimit.prototype, "take").mockImplementation(async (bytes, __, stream) => {
    takes.push({ bytes, stream });
    await isGranted;
  });
  const request = await serveMirror({ [host()]: 1 });
  const limited = addLayer(upstream, 3_000_000);
  const [unlimited, later] = [addLayer(other, 2_000_000), addLayer(other, 2_500_000, "2")];
  expect(Buffer.compare(await bytesOf(request(`other.example/${unlimited.path}`)), unlimited.bytes)).toBe(0);
  expect(takes).toEqual([]);
  let isRead = false;
  const reading = bytesOf(request(`up.example/${limited.path}`)).then((bytes) => {
    isRead = true;
    return bytes;
  });
  while (takes.length === 0) await new Promise(setImmediate);
  expect(Buffer.compare(await bytesOf(request(`other.example/${later.path}`)), later.bytes)).toBe(0);
  expect([takes.length, isRead]).toEqual([1, false]);
  grant();
  expect(Buffer.compare(await reading, limited.bytes)).toBe(0);
  expect(takes.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(limited.bytes.byteLength);
  expect(new Set(takes.map(({ stream }) => stream))).toEqual(new Set([limited.digest]));
});

it("one rate limits what a mirror reads from all upstreams, and its blobs get the same share, whatever their clients", async () => {
  const rate = 1_000_000;
  /** What passes at once after a pause, with a turn for each blob. */
  const burstBytes = 0.02 * rate + 8 * 1024;
  const stepMs = 5;
  // Everything else is given its time; only the limiter's clock is.
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
  const granted = new Map<unknown, number>();
  const waiting = new Set<unknown>();
  let largest = 0;
  const take = RateLimit.prototype.take;
  vi.spyOn(RateLimit.prototype, "take").mockImplementation(async function (this: RateLimit, bytes, signal, stream) {
    largest = Math.max(largest, bytes);
    waiting.add(stream);
    await take.call(this, bytes, signal, stream);
    waiting.delete(stream);
    granted.set(stream, (granted.get(stream) ?? 0) + bytes);
  });
  const request = await serveMirror(rate);
  const blobs = [addLayer(upstream, 6_000_000), addLayer(upstream, 9_000_000, "2"), addLayer(other, 9_000_000)];
  const paths = blobs.map(({ path }, at) => `${at === 2 ? "other" : "up"}.example/${path}`);
  const responses = [...paths, ...paths.slice(0, 1), ...paths.slice(0, 1)].map((path) => request(path));
  const total = () => [...granted.values()].reduce((sum, bytes) => sum + bytes, 0);
  const startMs = performance.now();
  while (total() < 6_000_000) {
    while (waiting.size < blobs.length) await new Promise(setImmediate);
    vi.advanceTimersByTime(stepMs);
    await new Promise(setImmediate);
  }
  const allowed = ((performance.now() - startMs) / 1000) * rate;
  expect(total()).toBeLessThanOrEqual(allowed + burstBytes);
  expect(total()).toBeGreaterThan(allowed - blobs.length * largest - burstBytes);
  const shares = blobs.map(({ digest }) => granted.get(digest) ?? 0);
  expect(Math.max(...shares) - Math.min(...shares)).toBeLessThanOrEqual(largest + burstBytes);
  for (const response of responses) await (await response).body?.cancel();
});
