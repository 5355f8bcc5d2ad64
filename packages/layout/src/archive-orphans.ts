import { lstatSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";

/** Of the folders that archives are staged in. */
export const stagingPrefix = ".mote-archive-";

/** As `mkdtemp` makes them of the prefix. */
export function isStagingName(name: string): boolean {
  return /^\.mote-archive-[0-9A-Za-z]{6}$/.test(name);
}

/** A process that still writes has done so within a day. */
const abandonedMs = 24 * 60 * 60 * 1000;

/** Removes what killed processes of this user have left in a folder that an archive is staged in now. */
export function removeArchiveOrphans(parent: string): void {
  for (const name of readdirSync(parent)) {
    if (!name.startsWith(stagingPrefix)) continue;
    const dir = join(parent, name);
    if (isOurs(dir) && Date.now() - lastWriteMs(dir) > abandonedMs) rmSync(dir, { recursive: true, force: true });
  }
}

function isOurs(dir: string): boolean {
  const stats = lstatSync(dir, { throwIfNoEntry: false });
  return stats?.isDirectory() === true && stats.uid === (process.geteuid?.() ?? stats.uid);
}

function lastWriteMs(dir: string): number {
  const blobs = join(dir, "layout/blobs");
  const paths = [
    dir,
    join(dir, "archive"),
    join(dir, "layout"),
    ...["sha256", "sha384", "sha512"].map((a) => join(blobs, a)),
  ];
  return Math.max(...paths.map((path) => lstatSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0));
}
