import { randomUUID } from "node:crypto";
import { renameSync } from "node:fs";
import fs from "node:fs/promises";
import { setTimeout as wait } from "node:timers/promises";
import { acquireLockFile, isAbsent } from "@mote/core";

/**
 * Renames a damaged file and its LMDB lock file, so that a new one can be created. Only one process does this at a time, and calls
 * `isStillDamaged` first, because another one may have renamed the file.
 * @returns the new name, or undefined if the file was not renamed
 * @throws MOTE_TIMEOUT
 */
export async function setAside(path: string, isStillDamaged: () => Promise<boolean>): Promise<string | undefined> {
  const lockPath = `${path}.repair`;
  const options = { aside: () => `${lockPath}.${randomUUID()}` };
  for (;;) {
    await using lock = await acquireLockFile(lockPath, { ...fs, wait }, options);
    if (!(await isStillDamaged())) return undefined;
    // Reading a very large file can take longer than a lock is waited for.
    if (!(await lock.isHeld())) continue;
    const date = new Date().toISOString().replace(/[-:]/g, "").replace(".", "");
    const aside = `${path}.damaged-${date}-${process.pid}`;
    // The lock file is renamed first: other processes find the damaged file and wait, and none sees a new file with the old
    // lock file, which contains the transaction ids of the old file.
    renameIfExists(`${path}-lock`, `${aside}-lock`);
    renameIfExists(path, aside);
    return aside;
  }
}

function renameIfExists(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if (!isAbsent(error)) throw error;
  }
}
