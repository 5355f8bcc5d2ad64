import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Call, readTrace } from "./strace.js";

const script = fileURLToPath(new URL("traced.mjs", import.meta.url));
const canTrace = spawnSync("strace", ["-V"]).status === 0;
// A file system on which syncs are not slow because of other writers.
const memory = "/dev/shm";
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(existsSync(memory) ? memory : tmpdir(), "mote-durability-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Traces a process that puts `count` blobs of `size` bytes, `atOnce` at a time. */
function trace(
  durability: string,
  blobs: { readonly count: number; readonly size: number; readonly atOnce: number },
): Call[] {
  const output = join(folder, "trace");
  const { count, size, atOnce } = blobs;
  const args = [join(folder, "cache"), durability, "put", count, size, atOnce].map(String);
  const calls = "trace=openat,write,pwrite64,fsync,fdatasync,syncfs,rename,renameat,renameat2,close";
  execFileSync("strace", ["-f", "-y", "-qq", "-e", calls, "-s", "0", "-o", output, process.execPath, script, ...args]);
  return readTrace(readFileSync(output, "latin1"));
}

const isBlobName = ({ to }: Call) => to !== undefined && /\/blobs\/sha256\/[0-9a-f]{64}$/.test(to);
const isSync = ({ name }: Call) => name === "fdatasync" || name === "fsync" || name === "syncfs";
const ofBlob = ({ path = "" }: Call) => /\/ingest\/sha256-/.test(path);

describe.skipIf(!canTrace)(`durability${canTrace ? "" : " (skipped: install strace)"}`, () => {
  for (const [what, blobs] of [
    ["one small blob at a time", { count: 5, size: 4096, atOnce: 1 }],
    ["many small blobs at once", { count: 64, size: 4096, atOnce: 32 }],
    ["large blobs", { count: 3, size: 3_000_000, atOnce: 2 }],
  ] as const) {
    it(`grouped: the data of ${what} is synced before its name is created`, () => {
      const calls = trace("grouped", blobs);
      const named = calls.filter(isBlobName);
      expect(named.length).toBe(blobs.count);
      for (const rename of named) {
        const written = calls.findLast((call) => /^p?write/.test(call.name) && call.path === rename.path);
        const syncs = calls.filter((call) => call.name === "syncfs" || (isSync(call) && call.path === rename.path));
        expect(written).not.toBe(undefined);
        // Started after the last write ended, and ended before the rename started.
        expect(syncs.some((sync) => sync.began > (written?.ended ?? 0) && sync.ended < rename.began)).toBe(true);
      }
    });
  }

  it("grouped: many concurrent small blobs share syncs", () => {
    const count = 128;
    let syncs = count;
    // After a slow sync of everything, files are synced alone for a while. On a busy machine that may be the first one.
    for (let attempt = 0; attempt < 10 && syncs >= count / 2; attempt++) {
      const calls = trace("grouped", { count, size: 4096, atOnce: 64 });
      syncs = calls.filter((call) => call.name === "syncfs" || (isSync(call) && ofBlob(call))).length;
    }
    expect(syncs).toBeGreaterThan(0);
    expect(syncs).toBeLessThan(count / 2);
  });

  it("synced: the directory is synced after its names were created, and syncs are shared", () => {
    const calls = trace("synced", { count: 64, size: 4096, atOnce: 32 });
    const lastName = calls.findLast(isBlobName);
    const folderSyncs = calls.filter((call) => isSync(call) && /\/blobs\/sha256$/.test(call.path ?? ""));
    expect(folderSyncs.some((sync) => sync.began > (lastName?.ended ?? 0))).toBe(true);
    expect(folderSyncs.length).toBeLessThan(64);
  });

  it("visible: no blob is synced", () => {
    const calls = trace("visible", { count: 20, size: 4096, atOnce: 10 });
    expect(calls.filter(isBlobName).length).toBe(20);
    expect(calls.filter((call) => call.name === "syncfs" || (isSync(call) && ofBlob(call)))).toEqual([]);
  });
});
