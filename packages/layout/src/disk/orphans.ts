import { type Stats, utimesSync } from "node:fs";
import { lstat, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { livenessOf } from "./process-identity.js";
import { isTemporaryName, ownerOf } from "./temporary-name.js";

const aliveEveryMs = 60_000;
/** Without a sign of life for so long, the owner is taken for gone if there is no other way to tell. */
const abandonedMs = 60 * 60 * 1000;
/** Of a name without an owner: earlier releases gave no sign of life while they staged an archive. */
const abandonedByEarlierMs = 24 * abandonedMs;

/**
 * Removes what killed processes left in `dir`; of processes that cannot be seen from here, what is older than an hour. Errors are ignored. With
 * `uid`, only what belongs to that user: in a world-writable folder, another could exchange a folder for a link meanwhile.
 */
export async function removeOrphans(dir: string, { uid }: { readonly uid?: number | undefined } = {}): Promise<void> {
  for (const name of await readdir(dir).catch(() => [])) {
    if (!isTemporaryName(name)) continue;
    const path = join(dir, name);
    try {
      if (uid !== undefined && (await lstat(path)).uid !== uid) continue;
      if (await isAbandoned(path, name)) await rm(path, { recursive: true, force: true });
    } catch {
      // It stays until it can be removed.
    }
  }
}

/** Shows other processes every minute that the folder `dir` is in use, until it is stopped. */
export function keepAlive(dir: string): { stop(): void } {
  const timer = setInterval(() => {
    try {
      const now = new Date();
      utimesSync(dir, now, now);
    } catch {
      // Whoever works in the folder notices that it is gone.
    }
  }, aliveEveryMs);
  timer.unref();
  return { stop: () => clearInterval(timer) };
}

async function isAbandoned(path: string, name: string): Promise<boolean> {
  const owner = ownerOf(name);
  const liveness = owner === undefined ? "unknown" : livenessOf(owner);
  if (liveness !== "unknown") return liveness === "dead";
  // A clock that is ahead must not keep it forever either.
  return Math.abs(Date.now() - (await lastChangeMs(path))) > (owner === undefined ? abandonedByEarlierMs : abandonedMs);
}

/** Of a folder: of what is directly in it, too. A file that is written to changes without its folder. */
async function lastChangeMs(path: string): Promise<number> {
  const stats = await lstat(path);
  if (!stats.isDirectory()) return stats.mtimeMs;
  const inside = await Promise.all((await readdir(path)).map((name) => lstat(join(path, name)).catch(() => undefined)));
  return Math.max(...[stats, ...inside].filter((one): one is Stats => one !== undefined).map(({ mtimeMs }) => mtimeMs));
}
