import type { Stats } from "node:fs";
import { type Digest, digestEncoded } from "@mote/core";

/**
 * "Verified since it last changed" is kept in the blob's own modification time: a signature of digest, size and inode, between
 * 1987 and 1995, where no clock writes. Any later write sets the time to the present, a copy has another inode, so neither
 * passes; and there is no index that could be wrong or lost. The fraction is in 64ths of a second, which doubles, system calls
 * and file systems carry exactly.
 * @returns seconds
 */
export function verifiedStamp(digest: Digest, size: number, inode: number): number {
  const encoded = digestEncoded(digest);
  const place = mix(inode % 2 ** 32, Math.floor(inode / 2 ** 32)) ^ mix(size % 2 ** 32, Math.floor(size / 2 ** 32));
  const first = mix(Number.parseInt(encoded.slice(0, 8), 16), place);
  const second = mix(Number.parseInt(encoded.slice(8, 16), 16), first);
  return firstSecond + (first >>> 4) + (second >>> 26) / 64;
}

export function hasVerifiedStamp(stats: Stats, digest: Digest): boolean {
  return stats.isFile() && stats.mtimeMs / 1000 === verifiedStamp(digest, stats.size, stats.ino);
}

const firstSecond = 2 ** 29;

/** 32 bits of `a` and `b`, well mixed. */
function mix(a: number, b: number): number {
  let h = Math.imul(a ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(b ^ 0xc2b2ae35, 0x27d4eb2f);
  h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d);
  h = Math.imul(h ^ (h >>> 12), 0x297a2d39);
  return (h ^ (h >>> 15)) >>> 0;
}
