import type { Stats } from "node:fs";
import { type Digest, digestEncoded } from "@mote/core";

/**
 * "Verified since it last changed" is stored in the blob's own modification time: a signature of digest, size and inode, between 1987 and 1995, in
 * 64ths of a second, which file systems store exactly. Any write sets the time to the present; a copy has another inode. @returns seconds
 */
export function verifiedStamp(digest: Digest, size: number, inode: number): number {
  const encoded = digestEncoded(digest);
  const location = mix(inode % 2 ** 32, Math.floor(inode / 2 ** 32)) ^ mix(size % 2 ** 32, Math.floor(size / 2 ** 32));
  const first = mix(Number.parseInt(encoded.slice(0, 8), 16), location);
  const second = mix(Number.parseInt(encoded.slice(8, 16), 16), first);
  return firstSecond + (first >>> 4) + (second >>> 26) / 64;
}

/**
 * Returns whether the blob was verified since it last changed. A stamp counts only if no user could have set the time back: no other
 * name exists, the file is not writable, and its owner is this user or root. @param ownLinks other names that are the cache's own
 */
export function hasVerifiedStamp(stats: Stats, digest: Digest, ownLinks = 0): boolean {
  return (
    isPrivate(stats, ownLinks) &&
    (stats.mode & writable) === 0 &&
    stats.isFile() &&
    stats.mtimeMs / 1000 === verifiedStamp(digest, stats.size, stats.ino) &&
    (stats.uid === 0 || process.geteuid === undefined || stats.uid === process.geteuid())
  );
}

/** Returns whether users can reach the file only by the blob's own name. */
export function isPrivate({ nlink }: Stats, ownLinks = 0): boolean {
  return nlink - ownLinks <= 1;
}

/** Returns whether the time is in the range that only stamps use. */
export function mayBeStamped({ mtimeMs }: Stats): boolean {
  return mtimeMs >= firstSecond * 1000 && mtimeMs < (firstSecond + 2 ** 28) * 1000;
}

/** Bits of a mode. */
export const writable = 0o222;
const firstSecond = 2 ** 29;

/** Hashes `a` and `b` to 32 bits. */
function mix(a: number, b: number): number {
  let h = Math.imul(a ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(b ^ 0xc2b2ae35, 0x27d4eb2f);
  h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d);
  h = Math.imul(h ^ (h >>> 12), 0x297a2d39);
  return (h ^ (h >>> 15)) >>> 0;
}
