import { existsSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { link, lstat, open, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { acquireLockFile, MoteError } from "./index.js";

let folder: string;
let path: string;
let serial = 0;
const aside = () => join(folder, `aside-${serial++}`);
/** Waits return immediately after calling `during`. */
const callsWith = (during: () => void = () => {}) => ({
  ...{ open, lstat, link, rename, rm },
  wait: async (ms: number) => {
    vi.advanceTimersByTime(ms);
    during();
  },
});
beforeEach(() => {
  vi.useFakeTimers({ toFake: ["performance"] });
  folder = mkdtempSync(join(tmpdir(), "mote-lock-"));
  path = join(folder, "lock");
});
afterEach(() => {
  vi.useRealTimers();
  rmSync(folder, { recursive: true });
});

it("is held until it is disposed", async () => {
  {
    await using lock = await acquireLockFile(path, callsWith(), { aside });
    expect([await lock.isHeld(), existsSync(path)]).toEqual([true, true]);
  }
  expect(readdirSync(folder)).toEqual([]);
});

it("waits for an existing lock", async () => {
  writeFileSync(path, "");
  let waits = 0;
  const calls = callsWith(() => {
    if (++waits === 3) rmSync(path);
  });
  await using lock = await acquireLockFile(path, calls, { aside });
  expect([waits, await lock.isHeld()]).toEqual([3, true]);
});

it("takes over a lock that does not change for five seconds, and its owner detects it", async () => {
  await using first = await acquireLockFile(path, callsWith(), { aside });
  await using second = await acquireLockFile(path, callsWith(), { aside });
  expect([await first.isHeld(), await second.isHeld()]).toEqual([false, true]);
});

it("times out after 30 seconds if other processes keep acquiring the lock", async () => {
  writeFileSync(path, "");
  let second = 0;
  const calls = callsWith(() => utimesSync(path, second, ++second));
  const failure = await acquireLockFile(path, calls, { aside }).catch((error: unknown) => error);
  expect(MoteError.isInstance(failure) && failure.code).toBe("MOTE_TIMEOUT");
});

it("rejects with the reason of the signal", async () => {
  writeFileSync(path, "");
  const controller = new AbortController();
  const calls = callsWith(() => controller.abort(new Error("enough")));
  await expect(acquireLockFile(path, calls, { aside, signal: controller.signal })).rejects.toThrow("enough");
});
