import type { Stats } from "node:fs";
import { lstat, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { livenessOf } from "./process-identity.js";
import { isTemporaryName, ownerOf } from "./temporary-name.js";

/** Milliseconds without a heartbeat after which an owner counts as gone, if there is no other way to tell. */
const abandonedMs = 60 * 60 * 1000;
/** For names without owner: earlier releases had no heartbeat while staging an archive. */
const abandonedByEarlierMs = 24 * abandonedMs;

/**
 * Removes orphans of killed processes in `dir`; of processes invisible from here, those older than an hour. Ignores errors. With
 * `uid`, only that user's: in a world-writable folder, another user could replace a folder with a link.
 */
export async function removeOrphans(dir: string, { uid }: { readonly uid?: number | undefined } = {}): Promise<void> {
  for (const name of await readdir(dir).catch(() => [])) {
    if (!isTemporaryName(name)) continue;
    const path = join(dir, name);
    try {
      if (uid !== undefined && (await lstat(path)).uid !== uid) continue;
      if (await isAbandoned(path, name)) await rm(path, { recursive: true, force: true });
    } catch {
      // Kept until it can be removed.
    }
  }
}

async function isAbandoned(path: string, name: string): Promise<boolean> {
  const owner = ownerOf(name);
  const liveness = owner === undefined ? "unknown" : livenessOf(owner);
  if (liveness !== "unknown") return liveness === "dead";
  // A clock that is ahead must not keep it forever.
  return Math.abs(Date.now() - (await lastChangeMs(path))) > (owner === undefined ? abandonedByEarlierMs : abandonedMs);
}

/** For a folder, includes its direct entries: writing to a file does not change its folder. */
async function lastChangeMs(path: string): Promise<number> {
  const stats = await lstat(path);
  if (!stats.isDirectory()) return stats.mtimeMs;
  const inside = await Promise.all((await readdir(path)).map((name) => lstat(join(path, name)).catch(() => undefined)));
  return Math.max(...[stats, ...inside].filter((one): one is Stats => one !== undefined).map(({ mtimeMs }) => mtimeMs));
}
