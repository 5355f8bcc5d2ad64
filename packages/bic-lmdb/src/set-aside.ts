import { closeSync, openSync, renameSync, rmSync, statSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { MoteError } from "@mote/core";
import { errorCode } from "./storage-error.js";

/** A process that holds the lock works for some milliseconds, or seconds where the file is large; then it has died. */
const staleMs = 10_000;
const longestWaitMs = 30_000;

/**
 * Renames the file, and LMDB's lock file with it, so that a new one can begin; gives the name it now has. One process does it at a
 * time, and `isStillBad` is asked once it is this one's turn: another may have done it meanwhile.
 */
export async function setAside(path: string, isStillBad: () => Promise<boolean>): Promise<string | undefined> {
  const lock = `${path}.repair`;
  await take(lock);
  try {
    if (!(await isStillBad())) return undefined;
    const date = new Date().toISOString().replace(/[-:]/g, "").replace(".", "");
    const aside = `${path}.damaged-${date}-${process.pid}`;
    // The lock file first: another process finds the damaged file and waits here, and nobody meets a new file with the
    // old lock, which counts the old one's transactions.
    renameIfThere(`${path}-lock`, `${aside}-lock`);
    renameIfThere(path, aside);
    return aside;
  } finally {
    rmSync(lock, { force: true });
  }
}

async function take(lock: string): Promise<void> {
  const end = performance.now() + longestWaitMs;
  while (performance.now() < end) {
    try {
      closeSync(openSync(lock, "wx", 0o600));
      return;
    } catch (error) {
      if (errorCode(error) !== "EEXIST") throw error;
    }
    const made = statSync(lock, { throwIfNoEntry: false })?.mtimeMs;
    if (made !== undefined && Date.now() - made > staleMs) rmSync(lock, { force: true });
    else await delay(5);
  }
  throw new MoteError(
    "MOTE_TIMEOUT",
    `${lock} was not released within ${longestWaitMs / 1000} seconds; remove it if no other process is at work`,
    { details: { path: lock } },
  );
}

function renameIfThere(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if (errorCode(error) !== "ENOENT") throw error;
  }
}
