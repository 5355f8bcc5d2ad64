import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeEach, describe, expect, it } from "vitest";
import { FileCache } from "../src/index.js";
import { Disk, type File, play, torn } from "./disk.js";
import { put } from "./image.js";
import { type Call, readTrace } from "./strace.js";

/**
 * Computes what a power failure can leave from the system calls of a commit, a removal and a prune. After every prefix of the calls,
 * only the synced data of a file is certain, and any combination of the names created or removed since their directory was last
 * synced may exist. Whether a blob is complete depends on one name and its file, so every name is tested in its worst case.
 */
const script = fileURLToPath(new URL("traced.mjs", import.meta.url));
const canTrace = spawnSync("strace", ["-V"]).status === 0;
const report: Record<string, unknown>[] = [];
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "mote-crash-"));
});
afterEach(() => rmSync(folder, { recursive: true }));
afterAll(() => {
  const artefacts = process.env.MOTE_ARTEFACTS;
  if (artefacts === undefined) return;
  mkdirSync(artefacts, { recursive: true });
  writeFileSync(join(artefacts, "crash-enumeration.json"), `${JSON.stringify(report, undefined, 2)}\n`);
});

function run(...args: readonly (string | number)[]): string {
  return execFileSync(process.execPath, [script, join(folder, "cache"), ...args.map(String)], { encoding: "utf8" });
}

function trace(...args: readonly (string | number)[]): Call[] {
  const output = join(folder, "trace");
  const calls =
    "trace=openat,write,pwrite64,writev,pwritev,fsync,fdatasync,syncfs,rename,renameat,renameat2,unlink,unlinkat,link,linkat";
  const command = [process.execPath, script, join(folder, "cache"), ...args.map(String)];
  execFileSync("strace", ["-f", "-y", "-qq", "-e", calls, "-s", "0", "-o", output, ...command]);
  return readTrace(readFileSync(output, "latin1")).filter(({ result }) => result !== -1);
}

/** Writes the file as a power failure leaves it: data that was not synced is zero, with the right length. */
function placeLost(from: string, to: string, file: File): void {
  // An earlier name that no longer exists: its file was tested before.
  if (!existsSync(from)) return;
  const content = readFileSync(from);
  if (file.synced < file.written) content.fill(0, file.synced);
  mkdirSync(dirname(to), { recursive: true });
  writeFileSync(to, content);
}

/** Creates directories as some of the power failures leave them, and uses each. Returns the number of damaged blobs. */
async function damagedAfterLoss(durability: string): Promise<number> {
  const calls = trace(durability, "images");
  const source = join(folder, "cache");
  const moments: Map<string, File>[] = [];
  play(calls, new Disk(), (disk) => {
    moments.push(new Map([...disk.possible].map(([path, file]) => [path, { ...file }])));
    return 1;
  });
  let states = 0;
  let damaged = 0;
  for (let at = 0; at < moments.length; at += Math.ceil(moments.length / 16)) {
    // All names, and some of them.
    for (const keeps of [() => true, (n: number) => n % 2 === 0, (n: number) => n % 3 !== 0]) {
      const root = join(folder, `state-${states++}`);
      [...(moments[at] ?? [])].forEach(([path, file], n) => {
        if (keeps(n)) placeLost(path, path.replace(source, root), file);
      });
      await using cache = new FileCache(root, { durability: "visible" });
      await cache.initialize();
      damaged += (await cache.verify()).damaged.length;
      for await (const { name } of cache.tags.list()) await cache.tags.resolve(name);
      await put(cache, new Uint8Array(2_000_000).fill(at), "application/octet-stream");
      expect((await cache.prune(0)).reached).toBe(true);
    }
  }
  report.push({ job: "lost pages", durability, calls: calls.length, states, damaged });
  return damaged;
}

describe.skipIf(!canTrace)(`after a power failure at any moment${canTrace ? "" : " (skipped: install strace)"}`, () => {
  for (const durability of ["grouped", "synced"]) {
    for (const [what, args] of Object.entries({
      "small blobs one by one": ["put", 6, 4096, 1],
      "small blobs at once": ["put", 40, 4096, 20],
      "large blobs": ["put", 3, 2_500_000, 2],
      "images with names": ["images"],
    })) {
      it(`every blob is complete, after committing ${what} (${durability})`, () => {
        const calls = trace(durability, ...args);
        let names = 0;
        const states = play(calls, new Disk(), (disk) => {
          expect(torn(disk)).toEqual([]);
          names = Math.max(names, disk.possible.size);
          return disk.possible.size + 1;
        });
        expect(names).toBeGreaterThan(5);
        report.push({ job: what, durability, calls: calls.length, states, torn: 0 });
      });
    }

    it(`no tag refers to an image with missing blobs, after a prune (${durability})`, () => {
      const images: Record<string, string[]> = JSON.parse(run(durability, "images"));
      const calls = trace(durability, "prune");
      const disk = new Disk();
      const tagOf = (name: string) =>
        join(folder, "cache/.mote/tags", `${createHash("sha256").update(name).digest("hex")}.json`);
      for (const path of [...Object.keys(images).map(tagOf), ...new Set(Object.values(images).flat())]) {
        const file = { written: 1, synced: 1 };
        disk.files.set(path, file);
        disk.possible.set(path, file);
      }
      const states = play(calls, disk, () => {
        for (const [name, blobs] of Object.entries(images)) {
          const [manifest = "", ...below] = blobs;
          const isNamed = disk.possible.has(tagOf(name)) || disk.possible.has(manifest);
          // The manifest may be removed while the tag is still on disk: then the tag does not resolve, and reports that.
          if (isNamed) expect([name, below.filter((path) => disk.removed.has(path))]).toEqual([name, []]);
        }
        expect(torn(disk)).toEqual([]);
        return disk.possible.size + 1;
      });
      expect(disk.removed.size).toBeGreaterThan(10);
      report.push({ job: "prune", durability, calls: calls.length, states, torn: 0 });
    });

    it(`a removed blob is complete or absent (${durability})`, () => {
      run(durability, "put", 10, 4096, 1);
      const calls = trace(durability, "remove");
      const states = play(calls, new Disk(), (disk) => {
        expect(torn(disk)).toEqual([]);
        return disk.possible.size + 1;
      });
      report.push({ job: "remove", durability, calls: calls.length, states, torn: 0 });
    });
  }

  it("a cache on a disk that lost everything not synced opens, verifies and works", async () => {
    expect(await damagedAfterLoss("grouped")).toBe(0);
  });

  it("the check finds damage if nothing is synced", async () => {
    expect(await damagedAfterLoss("visible")).toBeGreaterThan(0);
  });

  it("the check finds torn blobs if nothing is synced", () => {
    const calls = trace("visible", "put", 6, 4096, 1);
    let found = 0;
    play(calls, new Disk(), (disk) => {
      found = Math.max(found, torn(disk).length);
      return 1;
    });
    expect(found).toBeGreaterThan(0);
  });
});
