import type { Cancellable } from "./cancellable.js";
import { MoteError } from "./error.js";

/** A lock is held for the milliseconds in which one small file is read and replaced: one that stays this long has lost its owner. */
const abandonedMs = 5_000;
const timeoutMs = 30_000;
const firstWaitMs = 2;
const longestWaitMs = 50;

/** What tells one lock from the next one of the same name: the number of a freed inode is used again at once, so the time belongs to it. */
interface LockStats {
  readonly ino: bigint;
  readonly mtimeNs: bigint;
}

/** What `acquireLockFile` needs of `node:fs/promises`, and `wait` of `node:timers/promises`. */
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
  /** Returns false once another process took the lock over: what was read under it may be old. */
  held(): Promise<boolean>;
}

/**
 * Creates a lock file, and waits for the one that is there. Whether its owner is alive cannot be known where containers share a
 * folder, so a lock that did not change while it was watched for five seconds is taken over; the clocks of the machines do not matter.
 * The owner calls `held` before making anything visible, so that a wrong guess costs another round and nothing else.
 * @param options.aside returns a new path on the same file system, for a lock that is taken over
 * @throws MOTE_TIMEOUT after 30 seconds · what the system calls throw
 */
export async function acquireLockFile(
  path: string,
  calls: LockCalls,
  options: Cancellable & { readonly aside: () => string },
): Promise<LockFile> {
  const { signal } = options;
  const startMs = performance.now();
  let watched: { readonly id: string; readonly sinceMs: number } | undefined;
  for (let waitMs = firstWaitMs; ; waitMs = Math.min(waitMs * 2, longestWaitMs)) {
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
      const message = `cannot lock ${path}: another process holds it; if there is none, remove the file`;
      throw new MoteError("MOTE_TIMEOUT", message, { details: { path } });
    }
    await calls.wait(waitMs * (0.5 + Math.random()), undefined, { signal }).catch(() => signal?.throwIfAborted());
  }
}

/** Returns undefined if there is a lock. A symbolic link of that name is not followed. */
async function createLock(path: string, calls: LockCalls): Promise<LockFile | undefined> {
  let handle: Awaited<ReturnType<LockCalls["open"]>>;
  try {
    handle = await calls.open(path, "wx", 0o600);
  } catch (error) {
    if (errorCode(error) === "EEXIST") return undefined;
    throw error;
  }
  // The open handle keeps the inode's number from being used again.
  const id = idOf(await handle.stat({ bigint: true }));
  const held = async () => (await lockAt(path, calls)) === id;
  return {
    held,
    async [Symbol.asyncDispose]() {
      if (await held()) await calls.rm(path, { force: true });
      await handle.close();
    },
  };
}

/** Renames first and looks then: of several processes that find a lock abandoned one gets it, and a newer lock is put back. */
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

function errorCode(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}
