import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { digestBytes, MoteError, mediaTypes } from "@mote/core";
import { afterEach, beforeEach, expect, it } from "vitest";
import { FileCache } from "../src/index.js";
import { put, putImage } from "./image.js";

const worker = fileURLToPath(new URL("worker.mjs", import.meta.url));
// How often a writer is killed. KILLS=1000 asks for more.
const kills = Number(process.env.KILLS || 20);
let folder: string;
let root: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "mote-processes-"));
  root = join(folder, "cache");
});
afterEach(() => rmSync(folder, { recursive: true }));

function start(job: string, seed: string | number, env: Record<string, string> = {}): ChildProcess {
  return spawn(process.execPath, [worker, root, job, String(seed)], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, ...env },
  });
}

/** Returns the last line that the process printed, and its exit status. */
async function finish(child: ChildProcess) {
  let last = "";
  if (child.stdout)
    createInterface(child.stdout).on("line", (line) => {
      last = line;
    });
  const [exit, signal] = await once(child, "close");
  return { last, exit, signal };
}

async function firstLine(child: ChildProcess): Promise<string> {
  if (!child.stdout) throw new Error("no stdout");
  const lines = createInterface(child.stdout);
  const [line] = await once(lines, "line");
  return String(line);
}

async function expectComplete(cache: FileCache): Promise<void> {
  const { damaged, failed } = await cache.verify();
  expect([damaged, failed]).toEqual([[], []]);
}

it("eight processes concurrently put, read, link, tag, remove, prune and verify the same motes", async () => {
  const ends = await Promise.all(Array.from({ length: 8 }, (_, n) => finish(start("mix", n))));
  expect(ends.map(({ exit }) => exit)).toEqual(ends.map(() => 0));
  await using cache = new FileCache(root);
  await cache.initialize();
  await expectComplete(cache);
  expect(readdirSync(join(root, ".mote/ingest"))).toEqual([]);
  expect(readdirSync(join(root, ".mote/quarantine"))).toEqual([]);
  expect(readdirSync(join(root, ".mote/pruning"))).toEqual([]);
});

it("the contract holds in eight concurrent processes, with separate caches and with a shared one", async () => {
  const script = fileURLToPath(new URL("contract-process.mjs", import.meta.url));
  const ends = await Promise.all(
    Array.from({ length: 8 }, (_, n) =>
      finish(spawn(process.execPath, [script, folder, String(n)], { stdio: ["ignore", "pipe", "inherit"] })),
    ),
  );
  expect(ends.map(({ exit }) => exit)).toEqual(ends.map(() => 0));
  for (const { last } of ends) expect(JSON.parse(last).tests).toBeGreaterThan(40);
  await using cache = new FileCache(join(folder, "shared"));
  await cache.initialize();
  await expectComplete(cache);
  expect((await cache.prune(0)).reached).toBe(true);
  for (const place of ["ingest", "leads", "leases", "pruning", "quarantine"]) {
    expect([place, readdirSync(join(folder, "shared/.mote", place))]).toEqual([place, []]);
  }
}, 180_000);

it("pulling and serving processes never find a manifest with missing blobs while others prune", async () => {
  const jobs = ["pull", "pull", "pull", "serve", "serve", "prune", "prune"];
  const ends = await Promise.all(jobs.map((job, n) => finish(start(job, n, { DURABILITY: "visible" }))));
  expect(ends.map(({ exit }) => exit)).toEqual(ends.map(() => 0));
  const total = Object.assign({}, ...ends.map(({ last }) => JSON.parse(last)));
  // All three did something.
  expect([total.pulled > 0, total.served > 0, total.pruned > 0]).toEqual([true, true, true]);
  await using cache = new FileCache(root);
  await expectComplete(cache);
  for await (const digest of cache.pinned.pins()) throw new Error(`${digest} is pinned`);
  expect((await cache.prune(0)).reached).toBe(true);
  for (const place of ["ingest", "leases", "manifests", "pruning", "quarantine", "tags"]) {
    expect([place, readdirSync(join(root, ".mote", place))]).toEqual([place, []]);
  }
});

it("a writer killed at any moment leaves only complete blobs and files that are cleaned up", async () => {
  await using cache = new FileCache(root);
  for (let n = 0; n < kills; n += 4) {
    const writers = Array.from({ length: 4 }, (_, k) => start("put", n + k));
    await Promise.all(writers.map(firstLine));
    await Promise.all(
      writers.map(async (writer, k) => {
        const end = once(writer, "close");
        // The kills are spread over the writes.
        await new Promise((resolve) => setTimeout(resolve, (n * 7 + k * 13) % 50));
        writer.kill("SIGKILL");
        await end;
      }),
    );
    await expectComplete(cache);
    if (n % 3 === 0) await cache.prune(0);
  }
  await cache.prune(Number.POSITIVE_INFINITY);
  expect(readdirSync(join(root, ".mote/ingest"))).toEqual([]);
}, 600_000);

it("the temporary file of a live writer is not considered an orphan", async () => {
  await using cache = new FileCache(root);
  const bytes = new Uint8Array(500_000).fill(1);
  const digest = digestBytes(bytes);
  await cache.createMote(digest, mediaTypes.octetStream);
  await using writer = await cache.moteWriter(digest);
  await writer.write(bytes);
  const other = await finish(start("mix", "other"));
  expect(other.exit).toBe(0);
  await writer.close();
  expect((await cache.find(digest))?.size).toBe(500_000);
});

it("one of several processes fetches a mote, and the others follow", async () => {
  const ends = await Promise.all(Array.from({ length: 4 }, (_, n) => finish(start("fetch", n, { FOLLOWERS: "3" }))));
  const reports = ends.map(({ last }) => JSON.parse(last));
  expect(ends.every(({ exit }) => exit === 0)).toBe(true);
  expect(reports.reduce((sum, { fetched }) => sum + fetched, 0)).toBe(2_000_000);
  expect(reports.filter(({ fetched }) => fetched === 0).every((report) => report.bytesBeforeCommit > 0)).toBe(true);
});

it("another process continues at its offset when the fetching process is killed", async () => {
  const leader = start("fetch", "dies");
  await firstLine(leader);
  const followers = Array.from({ length: 3 }, (_, n) => finish(start("fetch", n)));
  await once(leader, "close");
  const reports = (await Promise.all(followers)).map(({ last }) => JSON.parse(last));
  const fetched = reports.reduce((sum, report) => sum + report.fetched, 0);
  expect(fetched).toBeGreaterThan(0);
  expect(fetched).toBeLessThan(1_050_000);
});

// A pid namespace needs root.
const canUnshare = spawnSync("unshare", ["--pid", "--fork", "--mount-proc", "true"]).status === 0;
it.skipIf(!canUnshare)(
  `processes that cannot see each other, as in two containers, fetch a mote at most twice${canUnshare ? "" : " (skipped: needs unshare of util-linux, and to be root)"}`,
  async () => {
    const hidden = (n: number) =>
      spawn("unshare", ["--pid", "--fork", "--mount-proc", process.execPath, worker, root, "fetch", String(n)], {
        stdio: ["ignore", "pipe", "inherit"],
      });
    const ends = await Promise.all([finish(start("fetch", 0)), finish(hidden(1)), finish(hidden(2))]);
    expect(ends.map(({ exit }) => exit)).toEqual([0, 0, 0]);
    const fetched = ends.reduce((sum, { last }) => sum + JSON.parse(last).fetched, 0);
    expect(fetched).toBeGreaterThanOrEqual(2_000_000);
    expect(fetched).toBeLessThanOrEqual(4_000_000);
  },
);

it("a lease ends with the process that holds it", async () => {
  await using cache = new FileCache(root);
  const bytes = new Uint8Array(5000).map((_, n) => (n * 31 + 5000) ^ (n >> 9));
  await put(cache, bytes, mediaTypes.octetStream);
  const holder = start("lease", 0);
  await firstLine(holder);
  expect((await cache.prune(0)).skipped.map(({ reason }) => reason)).toEqual(["leased"]);
  holder.kill("SIGKILL");
  await once(holder, "close");
  expect((await cache.prune(0)).reached).toBe(true);
  expect(readdirSync(join(root, ".mote/leases"))).toEqual([]);
});

it.skipIf(process.platform !== "linux")(
  "a lease ends with a process that its parent has not noticed to be dead",
  async () => {
    await using cache = new FileCache(root);
    const bytes = new Uint8Array(5000).map((_, n) => (n * 31 + 5000) ^ (n >> 9));
    await put(cache, bytes, mediaTypes.octetStream);
    const parent = spawn("sh", ["-c", `"$0" "$@" & exec sleep 60`, process.execPath, worker, root, "lease", "0"], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    await firstLine(parent);
    const pid = Number(readdirSync(join(root, ".mote/leases"))[0]?.split("-")[0]);
    try {
      process.kill(pid, "SIGKILL");
      // Its last thread has ended too.
      while (!/\) Z( \S+){16} [01] /.test(readFileSync(`/proc/${pid}/stat`, "latin1")))
        await new Promise((resolve) => setImmediate(resolve));
      expect((await cache.prune(0)).reached).toBe(true);
    } finally {
      parent.kill();
      await once(parent, "close");
    }
  },
);

it("a move into the cache by a killed process can be resumed", async () => {
  await using cache = new FileCache(root);
  const mover = start("move", 0);
  expect((await finish(mover)).signal).toBe("SIGKILL");
  expect(existsSync(`${root}.source`)).toBe(false);
  const bytes = new Uint8Array(400_000).map((_, n) => (n * 31 + 400_000) ^ (n >> 9));
  const mote = { digest: digestBytes(bytes), mediaType: mediaTypes.octetStream, size: bytes.byteLength };
  const writer = await cache.resumeMote(mote);
  expect(writer.offset).toBe(bytes.byteLength);
  await writer.close();
  await expectComplete(cache);
});

it("a tag that resolves while others prune has all its content, or is reported as being removed", async () => {
  await using cache = new FileCache(root);
  await using pruner = new FileCache(root);
  let done = false;
  const pruning = (async () => {
    while (!done) await pruner.prune(30_000);
  })();
  for (let n = 0; n < 100; n++) {
    const layers = ["base", `layer ${n}`];
    // As a pull does: lease what is needed, add what is missing, then set the tag.
    const { digests } = await putImage(new FileCache(join(folder, "elsewhere")), undefined, layers);
    const lease = await cache.lease(digests);
    const image = await putImage(cache, `image-${n}`, layers);
    for (const digest of image.digests) {
      expect(await cache.moteExists(digest)).toBe(true);
    }
    await lease.release();
  }
  done = true;
  await pruning;
  for await (const { descriptor } of cache.tags.list()) {
    const reader = await cache.moteReader(descriptor.digest).catch((error: unknown) => error);
    expect(MoteError.isInstance(reader)).toBe(false);
  }
  expect(existsSync(join(root, "index.json"))).toBe(true);
});
