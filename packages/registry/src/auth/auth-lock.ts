import fs from "node:fs/promises";
import { setTimeout as wait } from "node:timers/promises";
import { acquireLockFile, type Cancellable, type LockFile } from "@mote/core";

/**
 * Acquires the lock file beside `target`, which must not be a symbolic link.
 * @throws MOTE_TIMEOUT after 30 seconds, with the lock's path · the error of a system call
 */
export function lockAuthFile(target: string, { signal }: Cancellable = {}): Promise<LockFile> {
  const path = `${target}.lock`;
  const aside = () => `${path}.${process.pid}.${Math.random().toString(36).slice(2)}`;
  return acquireLockFile(path, { ...fs, wait }, { aside, signal });
}
