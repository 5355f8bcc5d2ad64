import fs from "node:fs/promises";
import { setTimeout as wait } from "node:timers/promises";
import { acquireLockFile, type Cancellable, type LockFile } from "@mote/core";
import { attempt } from "./file-error.js";
import { temporaryPath } from "./temporary-name.js";

/** Acquires the lock file of `dir`; see `LockFile`. @throws MOTE_TIMEOUT after 30 seconds · MOTE_UNWRITABLE · MOTE_NO_SPACE · MOTE_IO */
export async function lockFolder(dir: string, path: string, { signal }: Cancellable = {}): Promise<LockFile> {
  const options = { aside: () => temporaryPath(dir), signal };
  const lock = await attempt(acquireLockFile(path, { ...fs, wait }, options), path, { signal });
  return {
    isHeld: () => attempt(lock.isHeld(), path),
    [Symbol.asyncDispose]: () => lock[Symbol.asyncDispose](),
  };
}
