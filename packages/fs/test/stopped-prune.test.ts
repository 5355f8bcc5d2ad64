import { type ChildProcess, spawn } from "node:child_process";
import fs, { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { type Digest, digestBytes, type Logger, MoteError } from "@mote/core";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { FileCache } from "../src/index.js";
import { put, putImage } from "./image.js";

const worker = fileURLToPath(new URL("worker.mjs", import.meta.url));
const mediaType = "application/octet-stream";
let folder: string;
let root: string;
let warnings: string[];
let cache: FileCache;
const children: ChildProcess[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "mote-stopped-"));
  root = join(folder, "cache");
  warnings = [];
  const quiet = () => {};
  const logger: Logger = { debug: quiet, info: quiet, error: quiet, warn: (message) => warnings.push(message) };
  cache = new FileCache(root, { durability: "visible", logger });
});
afterEach(async () => {
  vi.restoreAllMocks();
  for (const child of children.splice(0)) child.kill("SIGKILL");
  await cache[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

const below = (path: string) => readdirSync(join(root, path));
const code = (error: unknown) => (MoteError.isInstance(error) ? error.code : String(error));

interface Stopped {
  readonly child: ChildProcess;
  /** Continues the process. Returns its report, or where it stopped next. */
  next(): Promise<string>;
}

/** Starts a prune in another process, which is stopped (SIGSTOP) before it removes a file. */
async function stoppedPrune(at: string): Promise<Stopped> {
  const child = spawn(process.execPath, [worker, root, "stopped-prune"], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, STOP_AT: at, DURABILITY: "visible" },
  });
  children.push(child);
  if (child.stdout === null) throw new Error("no stdout");
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  expect((await lines.next()).value).toBe("stops");
  while (!/\) T /.test(readFileSync(`/proc/${child.pid}/stat`, "latin1"))) await new Promise(setImmediate);
  return {
    child,
    next: async () => {
      child.kill("SIGCONT");
      return String((await lines.next()).value);
    },
  };
}

/** Makes waits short: each reading of the clock advances it by a second. */
function accelerateTime(): { readonly waitedMs: () => number } {
  const began = performance.now();
  let now = began;
  vi.spyOn(performance, "now").mockImplementation(() => {
    now += 1000;
    return now;
  });
  return { waitedMs: () => now - began };
}

async function putSome(count: number): Promise<Digest[]> {
  const digests: Digest[] = [];
  for (let n = 0; n < count; n++) digests.push((await put(cache, new Uint8Array(100 + n), mediaType)).digest);
  return digests;
}

describe.skipIf(process.platform !== "linux")("a stopped prune", () => {
  it("does not make a process wait for long, and removes nothing that was leased meanwhile", async () => {
    const digests = await putSome(40);
    const prune = await stoppedPrune("/blobs/");
    const time = accelerateTime();
    const lease = await cache.lease(digests);
    expect(time.waitedMs()).toBeLessThan(30_000);
    vi.restoreAllMocks();
    expect(warnings.some((line) => line.includes(`kill -CONT ${prune.child.pid}`))).toBe(true);
    const there = [];
    for (const digest of digests) there.push(await cache.moteExists(digest));
    const report = JSON.parse(await prune.next());
    expect(report.removed).toEqual([]);
    expect(report.skipped.map(({ holder }: { holder: string }) => holder)).toContain(`process ${process.pid}`);
    for (const digest of digests) expect(await cache.moteExists(digest)).toBe(true);
    expect(there).toEqual(digests.map(() => true));
    await lease.release();
    expect([below(".mote/ingest"), below(".mote/pruning"), below(".mote/leases")]).toEqual([[], [], []]);
  });

  it("starts over when it continues, and reaches its size", async () => {
    const digests = await putSome(20);
    const prune = await stoppedPrune("/blobs/");
    accelerateTime();
    const lease = await cache.lease(digests.slice(0, 1));
    await lease.release();
    vi.restoreAllMocks();
    const report = JSON.parse(await prune.next());
    expect([report.reached, report.removed.length, report.skipped]).toEqual([true, 20, []]);
  });

  it("does not remove a tag that was moved meanwhile", async () => {
    const old = await putImage(cache, "latest", ["a", "b"]);
    const kept = await putImage(cache, "kept", ["c"]);
    await cache.tags.untag("kept");
    const prune = await stoppedPrune("/tags/");
    accelerateTime();
    await cache.tags.tag("latest", kept.manifest);
    await cache.tags.tag("again", old.manifest);
    vi.restoreAllMocks();
    await cache.pinned.pin(kept.manifest.digest);
    await prune.next();
    expect((await cache.tags.resolve("latest"))?.digest).toBe(kept.manifest.digest);
    for (const digest of kept.digests) expect(await cache.moteExists(digest)).toBe(true);
  });

  it("removes images that were tagged meanwhile only with their tags", async () => {
    const images = [await putImage(cache, undefined, ["a"]), await putImage(cache, undefined, ["b"])];
    const prune = await stoppedPrune("/blobs/");
    accelerateTime();
    for (const [n, { manifest }] of images.entries()) await cache.tags.tag(`name ${n}`, manifest);
    vi.restoreAllMocks();
    const report = JSON.parse(await prune.next());
    expect(report.untagged.sort()).toEqual(["name 0", "name 1"]);
    expect(report.reached).toBe(true);
  });

  it("is waited for together with all other stopped prunes", async () => {
    const digests = await putSome(10);
    for (let n = 0; n < 3; n++) await stoppedPrune("/blobs/");
    // Of a release without gates, in a running process.
    const name = below(".mote/pruning")[0] ?? "";
    for (let n = 0; n < 30; n++) writeFileSync(join(root, ".mote/pruning", `${name}old${n}`), "12");
    const time = accelerateTime();
    const lease = await cache.lease(digests);
    expect(time.waitedMs()).toBeLessThan(30_000);
    expect(below(".mote/pruning")).toEqual([]);
    await lease.release();
  });

  it("is an error that names it if it cannot be evicted", async () => {
    await putSome(10);
    const { child } = await stoppedPrune("/blobs/");
    accelerateTime();
    const { unlinkSync } = fs;
    vi.spyOn(fs, "unlinkSync").mockImplementation((path) => {
      if (/pruning|gate/.test(String(path))) throw Object.assign(new Error("EACCES"), { code: "EACCES" });
      unlinkSync(path);
    });
    const error = await cache.lease([digestBytes(new Uint8Array())]).catch((thrown: unknown) => thrown);
    expect(code(error)).toBe("MOTE_TIMEOUT");
    expect(String(error)).toContain(`process ${child.pid}`);
    expect(below(".mote/leases")).toEqual([]);
  });
});

describe("if symbolic links cannot be created", () => {
  it("a prune removes nothing after others continued without it", async () => {
    const digests = await putSome(5);
    vi.spyOn(fs, "symlinkSync").mockImplementation(() => {
      throw Object.assign(new Error("EPERM"), { code: "EPERM" });
    });
    const { unlinkSync } = fs;
    let isFirst = true;
    vi.spyOn(fs, "unlinkSync").mockImplementation((path) => {
      unlinkSync(path);
      if (!isFirst) return;
      isFirst = false;
      for (const name of below(".mote/pruning")) {
        writeFileSync(join(root, ".mote/leases", `${name}other`), digests.map((digest) => `${digest}\n`).join(""));
        unlinkSync(join(root, ".mote/pruning", name));
      }
    });
    const { removed, skipped } = await cache.prune(0);
    expect([removed.length, skipped.length]).toEqual([1, 4]);
  });
});
