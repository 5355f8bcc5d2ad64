import { mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { FileCache } from "../file-cache.js";

const begin = (cache: FileCache, name = "a:1") => cache.freshness.begin?.(name);

let root: string;
let first: FileCache;
let second: FileCache;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "mote-checks-"));
  [first, second] = [new FileCache(root), new FileCache(root)];
});
afterEach(async () => {
  await first[Symbol.asyncDispose]();
  await second[Symbol.asyncDispose]();
  rmSync(root, { recursive: true });
});

it("begins the check of a name in one cache at a time, until that one has ended", async () => {
  const end = await begin(first);
  expect(await Promise.all([begin(first), begin(second)])).toEqual([undefined, undefined]);
  expect(await begin(second, "a:2")).toBeDefined();
  end?.();
  expect(await begin(second)).toBeDefined();
});

it("begins a check that another process has not ended for five seconds", async () => {
  await begin(first);
  const checks = join(root, ".mote", "checks");
  const [file = ""] = readdirSync(checks);
  const sixSecondsAgo = Date.now() / 1000 - 6;
  utimesSync(join(checks, file), sixSecondsAgo, sixSecondsAgo);
  expect(await begin(second)).toBeDefined();
  expect(await begin(first)).toBeUndefined();
});

it("begins a check where nothing can be written", async () => {
  await begin(first);
  rmSync(join(root, ".mote", "checks"), { recursive: true });
  writeFileSync(join(root, ".mote", "checks"), "no folder");
  expect(await Promise.all([begin(first), begin(second)])).toEqual([expect.any(Function), expect.any(Function)]);
});
