import { randomUUID } from "node:crypto";
import { link, lstat, open, rename, rm } from "node:fs/promises";
import { setTimeout as wait } from "node:timers/promises";
import { acquireLockFile, type Cancellable, type LockFile } from "@mote/core";

/** Acquires the lock file beside `target`, which must not be a symbolic link. @throws MOTE_TIMEOUT after 30 seconds · system errors */
export function lockBeside(target: string, options: Cancellable = {}): Promise<LockFile> {
  const path = `${target}.lock`;
  const calls = { open, lstat, link, rename, rm, wait };
  return acquireLockFile(path, calls, { ...options, aside: () => `${path}.${randomUUID()}` });
}
