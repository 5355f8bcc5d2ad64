import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { MoteError, makeFolders } from "./index.js";

const calls = { mkdirSync, statSync, dirname };
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "mote-folders-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const codeOf = (work: () => unknown) => {
  try {
    work();
    return "none";
  } catch (error) {
    return error instanceof Error && "code" in error ? error.code : error;
  }
};

it("creates all missing folders and returns the first one", () => {
  expect(makeFolders(join(folder, "a/b/c"), calls)).toBe(join(folder, "a"));
  expect(existsSync(join(folder, "a/b/c"))).toBe(true);
  expect(makeFolders(join(folder, "a/b/d"), calls, { mode: 0o700 })).toBe(join(folder, "a/b/d"));
  expect(statSync(join(folder, "a/b/d")).mode & 0o777).toBe(0o700);
});

it("returns undefined if all of them exist", () => {
  expect(makeFolders(folder, calls)).toBe(undefined);
  expect(makeFolders("/", calls)).toBe(undefined);
});

it("fails if a file exists in place of a folder", () => {
  writeFileSync(join(folder, "file"), "");
  expect(codeOf(() => makeFolders(join(folder, "file"), calls))).toBe("EEXIST");
  expect(codeOf(() => makeFolders(join(folder, "file/below"), calls))).toBe("ENOTDIR");
});

it("fails below an existing folder in which no folder can be created", () => {
  const isThere = (path: string) => ["/", "/proc"].includes(path);
  const refusing = {
    dirname,
    mkdirSync: (path: string) => {
      throw Object.assign(new Error(path), { code: isThere(path) ? "EEXIST" : "ENOENT" });
    },
    statSync: (path: string) => ({ isDirectory: () => isThere(path) }),
  };
  const failure = (() => {
    try {
      return makeFolders("/proc/mote/cache", refusing);
    } catch (error) {
      return error;
    }
  })();
  expect(MoteError.isInstance(failure) && failure.code).toBe("MOTE_UNWRITABLE");
});
