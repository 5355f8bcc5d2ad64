import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Call, readTrace } from "./strace.js";

/**
 * What a power cut can leave, worked out from the system calls of a commit, a removal and a prune. For every prefix of the calls: of
 * a file's data, only what was synced is certain; of the names, any of those made or removed since their folder was last synced may
 * be there or not, in any combination. Whole or not is a matter of one name and its file, so every name is tried at its worst.
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

interface File {
  written: number;
  /** Bytes that a power cut leaves. */
  synced: number;
}

/** The disk as it is, and as it may be found after a power cut. */
class Disk {
  readonly files = new Map<string, File>();
  /** Every name that may be there, with its file: it was made, and is not certainly gone again. */
  readonly possible = new Map<string, File>();
  /** Names that may be gone: removed, synced or not. */
  readonly removed = new Set<string>();
  readonly #begun = new Map<Call, Map<File, number>>();
  readonly #removedAtBegin = new Map<Call, string[]>();

  begin(call: Call): void {
    if (!isSync(call)) return;
    this.#begun.set(
      call,
      new Map([...this.files.values(), ...this.possible.values()].map((file) => [file, file.written])),
    );
    this.#removedAtBegin.set(call, [...this.removed]);
  }

  end(call: Call): void {
    const { name, path = "", to } = call;
    if (isSync(call)) this.#synced(call, path);
    else if (/write/.test(name)) this.#fileAt(path).written += call.result;
    else if (name.startsWith("rename") && to !== undefined) this.#named(path, to, true);
    else if (name.startsWith("link") && to !== undefined) this.#named(path, to, false);
    else if (name.startsWith("unlink")) this.#unlinked(path);
  }

  #synced(call: Call, path: string): void {
    for (const [file, written] of this.#begun.get(call) ?? []) {
      const isCovered = call.name === "syncfs" || this.files.get(path) === file;
      if (isCovered) file.synced = Math.max(file.synced, written);
    }
    if (call.name === "fdatasync") return;
    for (const name of this.#removedAtBegin.get(call) ?? []) {
      if (this.removed.has(name) && (call.name === "syncfs" || dirname(name) === path)) this.possible.delete(name);
    }
  }

  #named(from: string, to: string, moved: boolean): void {
    const file = this.#fileAt(from);
    if (moved) this.files.delete(from);
    // The old name may be there until its folder is synced, as one that was removed.
    if (moved && this.possible.has(from)) this.removed.add(from);
    this.files.set(to, file);
    this.possible.set(to, file);
    this.removed.delete(to);
  }

  #unlinked(path: string): void {
    const file = this.files.get(path);
    if (file !== undefined) this.possible.set(path, file);
    this.files.delete(path);
    this.removed.add(path);
  }

  /** What was there before the trace is on disk. */
  #fileAt(path: string): File {
    const known = this.files.get(path);
    if (known !== undefined) return known;
    const file = { written: 0, synced: 0 };
    this.files.set(path, file);
    return file;
  }
}

const isSync = ({ name }: Call) => name === "fsync" || name === "fdatasync" || name === "syncfs";
const isKept = (path: string) => /\/blobs\/|\/tags\/|\/(index|format)\.json$|\/oci-layout$/.test(path);

/** Plays the calls, and looks at the disk after each of them. @returns how many states were looked at */
function play(calls: readonly Call[], disk: Disk, look: (disk: Disk) => number): number {
  const events = calls
    .flatMap((call) => [
      { at: call.began, turn: () => disk.begin(call) },
      { at: call.ended + 0.5, turn: () => disk.end(call) },
    ])
    .sort((a, b) => a.at - b.at);
  let states = 0;
  for (const { turn } of events) {
    turn();
    states += look(disk);
  }
  return states;
}

const torn = (disk: Disk) =>
  [...disk.possible].filter(([path, file]) => isKept(path) && file.synced < file.written).map(([path]) => path);

describe.skipIf(!canTrace)(`after a power cut at any moment${canTrace ? "" : " (skipped: install strace)"}`, () => {
  for (const durability of ["grouped", "synced"]) {
    for (const [what, args] of Object.entries({
      "small blobs one by one": ["put", 6, 4096, 1],
      "small blobs at once": ["put", 40, 4096, 20],
      "large blobs": ["put", 3, 2_500_000, 2],
      "images with names": ["images"],
    })) {
      it(`every name is whole, committing ${what} (${durability})`, () => {
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

    it(`no tag names an image with holes, pruning (${durability})`, () => {
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
          // The manifest may go while the tag stays on disk: then the tag names nothing, and says so at once.
          if (isNamed) expect([name, below.filter((path) => disk.removed.has(path))]).toEqual([name, []]);
        }
        expect(torn(disk)).toEqual([]);
        return disk.possible.size + 1;
      });
      expect(disk.removed.size).toBeGreaterThan(10);
      report.push({ job: "prune", durability, calls: calls.length, states, torn: 0 });
    });

    it(`what is removed is there as a whole or not at all (${durability})`, () => {
      run(durability, "put", 10, 4096, 1);
      const calls = trace(durability, "remove");
      const states = play(calls, new Disk(), (disk) => {
        expect(torn(disk)).toEqual([]);
        return disk.possible.size + 1;
      });
      report.push({ job: "remove", durability, calls: calls.length, states, torn: 0 });
    });
  }

  it("the check finds torn names where nothing is synced", () => {
    const calls = trace("visible", "put", 6, 4096, 1);
    let found = 0;
    play(calls, new Disk(), (disk) => {
      found = Math.max(found, torn(disk).length);
      return 1;
    });
    expect(found).toBeGreaterThan(0);
  });
});
