import type { BigIntStats } from "node:fs";
import { type FileHandle, link, lstat, open, rename, rm } from "node:fs/promises";
import { setTimeout as wait } from "node:timers/promises";
import { type Cancellable, MoteError } from "@mote/core";
import { errorNumber, writeFailed } from "./file-error.js";
import { temporaryPath } from "./temporary-name.js";

/** Held for the milliseconds of one small file's rewriting, so one that stays this long has lost its owner. */
const abandonedMs = 5_000;
/** After so long the lock changes hands all the time, or cannot be taken away: not this user's, in a directory that keeps it. */
const longestMs = 30_000;
const firstWaitMs = 2;
const longestWaitMs = 50;

export interface FolderLock extends AsyncDisposable {
  /** False once another process took it for abandoned: what was read under it may be old. */
  held(): Promise<boolean>;
}

/**
 * A lock file beside what it guards. Whether another process lives cannot be known where containers share a folder, so one
 * that was watched for five seconds and did not change is taken over; the clock of neither machine matters. Its owner asks
 * `held` before he makes anything visible, so a wrong verdict costs him another round, and no entry.
 */
export async function lockFolder(dir: string, path: string, options: Cancellable = {}): Promise<FolderLock> {
  const { signal } = options;
  const startMs = performance.now();
  let watched: { readonly lock: string; readonly sinceMs: number } | undefined;
  for (let waitMs = firstWaitMs; ; waitMs = Math.min(waitMs * 2, longestWaitMs)) {
    signal?.throwIfAborted();
    const handle = await tryCreate(path);
    if (handle !== undefined) return new HeldLock(handle, path, identity(await handle.stat({ bigint: true })));
    const lock = await identityOf(path);
    if (lock === undefined) continue;
    if (watched?.lock !== lock) watched = { lock, sinceMs: performance.now() };
    else if (performance.now() - watched.sinceMs > abandonedMs) await takeAway(dir, path, lock);
    if (performance.now() - startMs > longestMs) {
      const message = `${path} is held by another process; if there is none, remove it`;
      throw new MoteError("MOTE_TIMEOUT", message, { details: { path } });
    }
    try {
      await wait(waitMs * (0.5 + Math.random()), undefined, { signal });
    } catch {
      signal?.throwIfAborted();
    }
  }
}

class HeldLock implements FolderLock {
  readonly #handle: FileHandle;
  readonly #path: string;
  readonly #identity: string;

  constructor(handle: FileHandle, path: string, identity: string) {
    this.#handle = handle;
    this.#path = path;
    this.#identity = identity;
  }

  async held(): Promise<boolean> {
    return (await identityOf(this.#path)) === this.#identity;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (await this.held()) await rm(this.#path, { force: true });
    await this.#handle.close();
  }
}

async function tryCreate(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, "wx", 0o600);
  } catch (error) {
    if (errorNumber(error) === "EEXIST") return undefined;
    throw writeFailed(error, path);
  }
}

/** Moved away first and looked at then: of several that find it abandoned, one gets it, and a living one is put back. */
async function takeAway(dir: string, path: string, lock: string): Promise<void> {
  const aside = temporaryPath(dir);
  try {
    await rename(path, aside);
  } catch {
    return;
  }
  if ((await identityOf(aside)) !== lock) await link(aside, path).catch(() => {});
  await rm(aside, { force: true });
}

async function identityOf(path: string): Promise<string | undefined> {
  try {
    return identity(await lstat(path, { bigint: true }));
  } catch (error) {
    if (errorNumber(error) === "ENOENT") return undefined;
    throw writeFailed(error, path);
  }
}

/** A freed inode's number is given out again at once, so the time belongs to it. */
function identity(stats: BigIntStats): string {
  return `${stats.ino}:${stats.mtimeNs}`;
}
