import { type FileHandle, link, lstat, open, rename, rm } from "node:fs/promises";
import { setTimeout as wait } from "node:timers/promises";
import { type Cancellable, MoteError } from "@mote/core";
import { reasonOf } from "../plain-file.js";

/** It is held for the milliseconds in which one small file is read and replaced: one that stays so long has lost its owner. */
const abandonedMs = 5_000;
const longestMs = 30_000;
const [firstWaitMs, longestWaitMs] = [2, 50];

export interface AuthLock extends AsyncDisposable {
  /** False if another process took it for abandoned. */
  held(): Promise<boolean>;
}

/**
 * Acquires the lock file beside `target`, which must not be a symbolic link. Whether its owner is alive cannot be known where
 * containers share a home folder, so a lock that did not change while it was watched for five seconds is taken over.
 * @throws MOTE_TIMEOUT after 30 seconds, with the lock's path · the error of a system call
 */
export async function lockAuthFile(target: string, { signal }: Cancellable = {}): Promise<AuthLock> {
  const path = `${target}.lock`;
  const startMs = performance.now();
  let watched: { readonly lock: string; readonly sinceMs: number } | undefined;
  for (let waitMs = firstWaitMs; ; waitMs = Math.min(waitMs * 2, longestWaitMs)) {
    signal?.throwIfAborted();
    const handle = await create(path);
    if (handle !== undefined) return new HeldLock(handle, path, await identityOf(handle));
    const nowMs = performance.now();
    const lock = await identityAt(path);
    if (lock !== undefined && watched?.lock !== lock) watched = { lock, sinceMs: nowMs };
    else if (lock !== undefined && watched && nowMs - watched.sinceMs > abandonedMs) await takeAway(path, lock);
    if (nowMs - startMs > longestMs) {
      const message = `${target} is locked by another process; if there is none, remove ${path}`;
      throw new MoteError("MOTE_TIMEOUT", message, { details: { path } });
    }
    await wait(waitMs * (0.5 + Math.random()), undefined, { signal }).catch(() => signal?.throwIfAborted());
  }
}

class HeldLock implements AuthLock {
  readonly #handle: FileHandle;
  readonly #path: string;
  readonly #identity: string;

  constructor(handle: FileHandle, path: string, identity: string) {
    this.#handle = handle;
    this.#path = path;
    this.#identity = identity;
  }

  async held(): Promise<boolean> {
    return (await identityAt(this.#path)) === this.#identity;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (await this.held()) await rm(this.#path, { force: true });
    await this.#handle.close();
  }
}

/** Undefined if it is there. A symbolic link of that name is not followed. */
async function create(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, "wx", 0o600);
  } catch (error) {
    if (reasonOf(error) === "EEXIST") return undefined;
    throw error;
  }
}

/** Moved away first and looked at then: of several that find it abandoned, one gets it, and a lock taken meanwhile is put back. */
async function takeAway(path: string, lock: string): Promise<void> {
  const aside = `${path}.${process.pid}.${Math.random().toString(36).slice(2)}`;
  try {
    await rename(path, aside);
  } catch {
    return;
  }
  if ((await identityAt(aside)) !== lock) await link(aside, path).catch(() => {});
  await rm(aside, { force: true });
}

async function identityAt(path: string): Promise<string | undefined> {
  try {
    return identity(await lstat(path, { bigint: true }));
  } catch (error) {
    if (reasonOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

async function identityOf(handle: FileHandle): Promise<string> {
  return identity(await handle.stat({ bigint: true }));
}

/** The number of a freed inode is given out again at once, so the time belongs to it. */
function identity({ ino, mtimeNs }: { readonly ino: bigint; readonly mtimeNs: bigint }): string {
  return `${ino}:${mtimeNs}`;
}
