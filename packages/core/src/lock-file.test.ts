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
/** Waits pass at once; what happens meanwhile is `during`. */
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

it("is held until it is disposed of", async () => {
  {
    await using lock = await acquireLockFile(path, callsWith(), { aside });
    expect([await lock.isHeld(), existsSync(path)]).toEqual([true, true]);
  }
  expect(readdirSync(folder)).toEqual([]);
});

it("waits for the one that is there", async () => {
  writeFileSync(path, "");
  let waits = 0;
  const calls = callsWith(() => {
    if (++waits === 3) rmSync(path);
  });
  await using lock = await acquireLockFile(path, calls, { aside });
  expect([waits, await lock.isHeld()]).toEqual([3, true]);
});

it("takes over a lock that does not change for five seconds, whose owner then learns of it", async () => {
  await using first = await acquireLockFile(path, callsWith(), { aside });
  await using second = await acquireLockFile(path, callsWith(), { aside });
  expect([await first.isHeld(), await second.isHeld()]).toEqual([false, true]);
});

it("gives up after 30 seconds in which the lock changed hands all the time", async () => {
  writeFileSync(path, "");
  let second = 0;
  const calls = callsWith(() => utimesSync(path, second, ++second));
  const failure = await acquireLockFile(path, calls, { aside }).catch((error: unknown) => error);
  expect(MoteError.isInstance(failure) && failure.code).toBe("MOTE_TIMEOUT");
});

it("ends with the reason of its signal", async () => {
  writeFileSync(path, "");
  const controller = new AbortController();
  const calls = callsWith(() => controller.abort(new Error("enough")));
  await expect(acquireLockFile(path, calls, { aside, signal: controller.signal })).rejects.toThrow("enough");
});
