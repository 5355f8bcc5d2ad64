import {
  chmodSync,
  chownSync,
  existsSync,
  lchownSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ownFolder } from "./private-folder.js";

const isRoot = process.getuid?.() === 0;
const someone = 12_345;

let place: string;
beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), "mote-own-"));
});
afterEach(() => rmSync(place, { recursive: true }));

describe("a private directory", () => {
  it("is created for its owner only, with its parent", () => {
    const folder = ownFolder(join(place, "above"), "own");
    expect(folder).toBe(join(place, "above", "own"));
    for (const path of [join(place, "above"), join(place, "above", "own")]) {
      expect(statSync(path).mode & 0o777).toBe(0o700);
    }
  });

  it("is not created if two directories are missing", () => {
    expect(ownFolder(join(place, "a", "b"), "own")).toBeUndefined();
    expect(existsSync(join(place, "a"))).toBe(false);
  });

  it("is found through a link of this user, by its real path", () => {
    mkdirSync(join(place, "real"));
    symlinkSync(join(place, "real"), join(place, "link"));
    expect(ownFolder(join(place, "link"), "own")).toBe(join(place, "real", "own"));
  });

  it("can be in a sticky directory that all users write to", () => {
    chmodSync(place, 0o1777);
    expect(ownFolder(place, "own")).toBe(join(place, "own"));
  });

  it("can be readable by others, and in a readable one", () => {
    chmodSync(place, 0o755);
    mkdirSync(join(place, "own"), { mode: 0o755 });
    expect(ownFolder(place, "own")).toBe(join(place, "own"));
  });
});

describe("a directory is not used", () => {
  it.each([0o770, 0o707, 0o1777, 0o2775])("if others may write to it: mode %o", (mode) => {
    mkdirSync(join(place, "own"));
    chmodSync(join(place, "own"), mode);
    expect(ownFolder(place, "own")).toBeUndefined();
  });

  it.each([0o770, 0o707, 0o777])("if others may replace it: a folder above it of mode %o", (mode) => {
    mkdirSync(join(place, "above", "parent"), { recursive: true });
    chmodSync(join(place, "above"), mode);
    expect(ownFolder(join(place, "above", "parent"), "own")).toBeUndefined();
    expect(ownFolder(join(place, "above"), "own")).toBeUndefined();
  });

  it("if it is a link, even one to a folder of the user's", () => {
    mkdirSync(join(place, "real"), { mode: 0o700 });
    symlinkSync(join(place, "real"), join(place, "own"));
    expect(ownFolder(place, "own")).toBeUndefined();
  });

  it("if its parent is a relative path, a file or a dangling link", () => {
    symlinkSync(join(place, "nowhere"), join(place, "dangling"));
    expect(ownFolder(relative(process.cwd(), place), "own")).toBeUndefined();
    expect(ownFolder(process.execPath, "own")).toBeUndefined();
    expect(ownFolder(join(place, "dangling"), "own")).toBeUndefined();
    expect(existsSync(join(place, "nowhere"))).toBe(false);
  });

  it.skipIf(!isRoot)("if it belongs to another user (skipped: run as root)", () => {
    mkdirSync(join(place, "own"), { mode: 0o700 });
    chownSync(join(place, "own"), someone, someone);
    expect(ownFolder(place, "own")).toBeUndefined();
  });

  it.skipIf(!isRoot)("if a folder above it belongs to another user (skipped: run as root)", () => {
    mkdirSync(join(place, "theirs", "mine"), { recursive: true });
    chownSync(join(place, "theirs"), someone, someone);
    expect(ownFolder(join(place, "theirs", "mine"), "own")).toBeUndefined();
  });

  it.skipIf(!isRoot)("if another user's link leads to it (skipped: run as root)", () => {
    mkdirSync(join(place, "real"), { mode: 0o700 });
    symlinkSync(join(place, "real"), join(place, "link"));
    lchownSync(join(place, "link"), someone, someone);
    expect(ownFolder(join(place, "link"), "own")).toBeUndefined();
  });
});
