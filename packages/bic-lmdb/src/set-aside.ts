import { closeSync, openSync, renameSync, rmSync, statSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { errorCode } from "./storage-error.js";

/** A process that holds the lock works for some milliseconds; one that is older has died. */
const staleMs = 2_000;

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
    // The lock file first: whoever comes meanwhile finds the damaged file and waits here, and nobody meets a new file with the
    // old lock, which counts the old one's transactions.
    renameIfThere(`${path}-lock`, `${aside}-lock`);
    renameIfThere(path, aside);
    return aside;
  } finally {
    rmSync(lock, { force: true });
  }
}

async function take(lock: string): Promise<void> {
  for (;;) {
    try {
      closeSync(openSync(lock, "wx"));
      return;
    } catch (error) {
      if (errorCode(error) !== "EEXIST") throw error;
    }
    const made = statSync(lock, { throwIfNoEntry: false })?.mtimeMs;
    if (made !== undefined && Date.now() - made > staleMs) rmSync(lock, { force: true });
    else await delay(5);
  }
}

function renameIfThere(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if (errorCode(error) !== "ENOENT") throw error;
  }
}
