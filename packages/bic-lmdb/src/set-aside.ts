import { closeSync, openSync, renameSync, rmSync, statSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { MoteError } from "@mote/core";
import { errorCode } from "./storage-error.js";

// A process holds the lock for some milliseconds, or seconds if the file is large. After this time it has died.
const staleMs = 10_000;
const longestWaitMs = 30_000;

/**
 * Renames a damaged file and its LMDB lock file, so that a new one can be created. Only one process does this at a time, and calls
 * `isStillDamaged` first, because another one may have renamed the file.
 * @returns the new name, or undefined if the file was not renamed
 * @throws MOTE_TIMEOUT
 */
export async function setAside(path: string, isStillDamaged: () => Promise<boolean>): Promise<string | undefined> {
  const lock = `${path}.repair`;
  await acquire(lock);
  try {
    if (!(await isStillDamaged())) return undefined;
    const date = new Date().toISOString().replace(/[-:]/g, "").replace(".", "");
    const aside = `${path}.damaged-${date}-${process.pid}`;
    // The lock file is renamed first: other processes find the damaged file and wait, and none sees a new file with the old
    // lock file, which contains the transaction ids of the old file.
    renameIfExists(`${path}-lock`, `${aside}-lock`);
    renameIfExists(path, aside);
    return aside;
  } finally {
    rmSync(lock, { force: true });
  }
}

async function acquire(lock: string): Promise<void> {
  const end = performance.now() + longestWaitMs;
  while (performance.now() < end) {
    try {
      closeSync(openSync(lock, "wx", 0o600));
      return;
    } catch (error) {
      if (errorCode(error) !== "EEXIST") throw error;
    }
    const createdMs = statSync(lock, { throwIfNoEntry: false })?.mtimeMs;
    if (createdMs !== undefined && Date.now() - createdMs > staleMs) rmSync(lock, { force: true });
    else await delay(5);
  }
  throw new MoteError(
    "MOTE_TIMEOUT",
    `${lock} was not released within ${longestWaitMs / 1000} seconds; remove it if no other process uses the file`,
    { details: { path: lock } },
  );
}

function renameIfExists(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if (errorCode(error) !== "ENOENT") throw error;
  }
}
