import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { runMote } from "./run-mote.js";

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
/** The one file, and which one it is: one that the engine does not take is made anew. */
const kept = () => {
  const names = readdirSync(folder());
  expect(names.length).toBe(1);
  const file = join(folder(), names[0] ?? "");
  const { ino, mode } = statSync(file);
  return { file, ino, mode: mode & 0o777 };
};

it("what was compiled is kept for the next run, which takes it", async () => {
  await run();
  const first = kept();
  expect(first.mode).toBe(0o600);
  await run();
  expect(kept()).toEqual(first);
});

it.each<[string, (file: string) => void]>([
  ["damaged", (file) => writeFileSync(file, "x".repeat(100_000))],
  ["cut short", (file) => truncateSync(file, statSync(file).size - 1000)],
  ["empty", (file) => truncateSync(file)],
  ["writable by others", (file) => chmodSync(file, 0o666)],
])("a kept file that is %s is not taken, and made anew", async (_, spoil) => {
  await run();
  const { file } = kept();
  spoil(file);
  const { ino } = statSync(file);
  await run();
  expect(kept().ino).not.toBe(ino);
  expect(kept().mode).toBe(0o600);
  const made = kept();
  await run();
  expect(kept()).toEqual(made);
});

it("a home where nothing can be kept is no trouble", async () => {
  writeFileSync(join(home, ".cache"), "");
  await run();
});

it("nothing is kept for who has no home, or does not want it", async () => {
  await run({ HOME: join(home, "none") });
  expect(existsSync(join(home, "none"))).toBe(false);
  await run({ NODE_DISABLE_COMPILE_CACHE: "1" });
  expect(existsSync(folder())).toBe(false);
});
