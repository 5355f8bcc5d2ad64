import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import nodeModule from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { runMote } from "./run-mote.js";

const hasEngineCache = "enableCompileCache" in nodeModule;

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "mote-compiled-"));
});
afterEach(() => rmSync(home, { recursive: true }));

const folder = () => join(home, ".cache/mote-compiled");
const run = async (env: NodeJS.ProcessEnv = {}) => {
  const { status, stderr } = await runMote(["ls", "--cache", join(home, "none")], {
    env: { HOME: home, NODE_COMPILE_CACHE: "", ...env },
  });
  expect([status, stderr]).toEqual([0, "The cache in ".concat(join(home, "none"), " is empty.\n")]);
};
/** Returns the only file and its inode, because a file that the engine rejects is created again. */
const kept = () => {
  const files = filesBelow(folder());
  expect(files.length).toBe(1);
  const file = files[0] ?? "";
  const { ino, mode } = statSync(file);
  return { file, ino, mode: mode & 0o777 };
};

function filesBelow(path: string): string[] {
  if (!existsSync(path)) return [];
  const entries = readdirSync(path, { withFileTypes: true, recursive: true });
  return entries.filter((entry) => !entry.isDirectory()).map((entry) => join(entry.parentPath, entry.name));
}

it("compiled code is stored, and the next run uses it", async () => {
  await run();
  const first = kept();
  await run();
  expect(kept()).toEqual(first);
  expect(statSync(folder()).mode & 0o777).toBe(0o700);
});

describe("a directory is not used", () => {
  it("if others can write to it", async () => {
    mkdirSync(folder(), { recursive: true });
    chmodSync(folder(), 0o777);
    await run();
    expect(filesBelow(folder())).toEqual([]);
  });

  it("if others can replace it", async () => {
    mkdirSync(folder(), { recursive: true, mode: 0o700 });
    chmodSync(join(home, ".cache"), 0o777);
    await run();
    expect(filesBelow(folder())).toEqual([]);
  });

  it("if it is a link", async () => {
    mkdirSync(join(home, ".cache"));
    mkdirSync(join(home, "elsewhere"));
    symlinkSync(join(home, "elsewhere"), folder());
    await run();
    expect(filesBelow(join(home, "elsewhere"))).toEqual([]);
  });

  it("if a relative XDG_CACHE_HOME names it: the one in the home directory is", async () => {
    await run({ XDG_CACHE_HOME: "cache" });
    expect(kept().file).toContain(folder());
  });
});

describe.skipIf(hasEngineCache)("before Node 22.8 (skipped if Node has a compile cache)", () => {
  it.each<[string, (file: string) => void]>([
    ["damaged", (file) => writeFileSync(file, "x".repeat(100_000))],
    ["cut short", (file) => truncateSync(file, statSync(file).size - 1000)],
    ["too large", (file) => truncateSync(file, 65 * 1024 * 1024)],
    ["empty", (file) => truncateSync(file)],
    ["writable by others", (file) => chmodSync(file, 0o666)],
    ["a link", (file) => moveAndLink(file)],
    ["a pipe", (file) => makePipe(file)],
  ])("a stored file that is %s is not used, and is written again", async (_, spoil) => {
    await run();
    const { file, mode } = kept();
    expect(mode).toBe(0o600);
    spoil(file);
    const { ino } = statSync(file);
    await run();
    expect(kept().ino).not.toBe(ino);
    expect(kept().mode).toBe(0o600);
    const made = kept();
    await run();
    expect(kept()).toEqual(made);
  });
});

describe.skipIf(hasEngineCache)("code that only a later run compiles (skipped if Node has a compile cache)", () => {
  it("is added when the file is old enough", async () => {
    await run();
    const { file } = kept();
    const { size } = statSync(file);
    utimesSync(file, 1, 1);
    const help = await runMote(["ls", "--help"], { env: { HOME: home, NODE_COMPILE_CACHE: "" } });
    expect(help.status).toBe(0);
    expect(statSync(kept().file).size).toBeGreaterThan(size);
    const added = kept();
    utimesSync(file, 1, 1);
    await run();
    expect(kept()).toEqual(added);
    expect(statSync(file).mtimeMs).toBeGreaterThan(1000);
  });
});

function moveAndLink(file: string): void {
  const moved = join(home, "moved");
  spawnSync("mv", [file, moved]);
  symlinkSync(moved, file);
}

function makePipe(file: string): void {
  rmSync(file);
  expect(spawnSync("mkfifo", [file]).status).toBe(0);
}

it("a home directory that is not writable is not an error", async () => {
  writeFileSync(join(home, ".cache"), "");
  await run();
});

it("nothing is stored without a home directory, or if the cache is disabled", async () => {
  await run({ HOME: join(home, "none") });
  expect(existsSync(join(home, "none"))).toBe(false);
  await run({ NODE_DISABLE_COMPILE_CACHE: "1" });
  expect(existsSync(folder())).toBe(false);
});
