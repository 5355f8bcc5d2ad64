import type { Cancellable } from "./cancellable.js";
import { MoteError } from "./error.js";
import { errorCode } from "./system-error.js";

/** Locks are held for a few milliseconds. A lock that exists for this long has lost its owner. */
const abandonedMs = 5_000;
const timeoutMs = 30_000;
const firstWaitMs = 2;
const maxWaitMs = 50;

/** Identifies a lock. Inode numbers are reused immediately, so the time is needed as well. */
interface LockStats {
  readonly ino: bigint;
  readonly mtimeNs: bigint;
}

/** The functions of `node:fs/promises` that are used; `wait` is `setTimeout` of `node:timers/promises`. */
export interface LockCalls {
  open(
    path: string,
    flags: "wx",
    mode: number,
  ): Promise<{
    stat(options: { readonly bigint: true }): Promise<LockStats>;
    close(): Promise<void>;
  }>;
  lstat(path: string, options: { readonly bigint: true }): Promise<LockStats>;
  link(existing: string, path: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  rm(path: string, options: { readonly force: true }): Promise<void>;
  wait(ms: number, value: undefined, options: Cancellable): Promise<unknown>;
}

export interface LockFile extends AsyncDisposable {
  /** Returns false if another process has taken over the lock. Data read under the lock may be stale then. */
  isHeld(): Promise<boolean>;
}

/**
 * Creates a lock file after waiting for an existing one. A lock that does not change for five seconds is taken over. Call `isHeld` before
 * making a change visible.
 * @param options.aside returns a new path on the same file system, to which an abandoned lock is moved
 * @throws MOTE_TIMEOUT after 30 seconds · what the system calls throw
 */
export async function acquireLockFile(
  path: string,
  calls: LockCalls,
  options: Cancellable & { readonly aside: () => string },
): Promise<LockFile> {
  const { signal } = options;
  const startMs = performance.now();
  // Containers that share a folder cannot detect whether the owner is alive, and their clocks differ, so the lock is observed.
  let watched: { readonly id: string; readonly sinceMs: number } | undefined;
  for (let waitMs = firstWaitMs; ; waitMs = Math.min(waitMs * 2, maxWaitMs)) {
    signal?.throwIfAborted();
    const created = await createLock(path, calls);
    if (created !== undefined) return created;
    const id = await lockAt(path, calls);
    const nowMs = performance.now();
    if (id !== undefined && id !== watched?.id) watched = { id, sinceMs: nowMs };
    else if (id !== undefined && watched && nowMs - watched.sinceMs > abandonedMs) {
      await evict(path, id, calls, options.aside());
    }
    if (nowMs - startMs > timeoutMs) {
      const message = `cannot lock ${path}: another process holds the lock; if no process uses it, remove the file`;
      throw new MoteError("MOTE_TIMEOUT", message, { details: { path } });
    }
    await calls.wait(waitMs * (0.5 + Math.random()), undefined, { signal }).catch(() => signal?.throwIfAborted());
  }
}

/** Creates the lock; returns undefined if it exists. Symbolic links are not followed. */
async function createLock(path: string, calls: LockCalls): Promise<LockFile | undefined> {
  let handle: Awaited<ReturnType<LockCalls["open"]>>;
  try {
    handle = await calls.open(path, "wx", 0o600);
  } catch (error) {
    if (errorCode(error) === "EEXIST") return undefined;
    throw error;
  }
  // The open handle prevents reuse of the inode number.
  const id = idOf(await handle.stat({ bigint: true }));
  const isHeld = async () => (await lockAt(path, calls)) === id;
  return {
    isHeld,
    async [Symbol.asyncDispose]() {
      if (await isHeld()) await calls.rm(path, { force: true });
      await handle.close();
    },
  };
}

/** Removes an abandoned lock. It is renamed before it is compared, so that only one process evicts it, and a newer lock is restored. */
async function evict(path: string, id: string, calls: LockCalls, aside: string): Promise<void> {
  try {
    await calls.rename(path, aside);
  } catch {
    return;
  }
  if ((await lockAt(aside, calls)) !== id) await calls.link(aside, path).catch(() => {});
  await calls.rm(aside, { force: true });
}

async function lockAt(path: string, calls: LockCalls): Promise<string | undefined> {
  try {
    return idOf(await calls.lstat(path, { bigint: true }));
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

function idOf({ ino, mtimeNs }: LockStats): string {
  return `${ino}:${mtimeNs}`;
}
