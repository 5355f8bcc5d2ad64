import { closeSync, openSync, readSync, statSync } from "node:fs";
import { compressionOf } from "../compression/uncompress.js";
import { archiveInParts } from "../parts/part-names.js";

const headBytes = 512;

/** Returns whether a file looks like an archive: a tar, a compressed file, or one of the names of an archive in parts. */
export function isArchiveFile(path: string): boolean {
  if (archiveInParts(path) !== undefined) return true;
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined || !stats.isFile()) return false;
  const head = new Uint8Array(headBytes);
  const fd = openSync(path, "r");
  try {
    readSync(fd, head, 0, headBytes, 0);
  } finally {
    closeSync(fd);
  }
  // POSIX.1-2017, pax, "ustar Interchange Format": the field magic.
  return compressionOf(head) !== undefined || new TextDecoder().decode(head.subarray(257, 262)) === "ustar";
}
