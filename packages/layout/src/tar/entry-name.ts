import { posix } from "node:path";
import { invalidArchive } from "../disk/file-error.js";

/** Bytes of a complete path, as on Linux (PATH_MAX). */
export const maxNameBytes = 4096;
/** Bytes of a path component, as on Linux (NAME_MAX). */
export const maxSegmentBytes = 255;
/** Nested folders. */
export const maxDepth = 255;

/** Returns a path below the archive's top, without trailing slash; `.` for the top itself. @throws MOTE_INVALID_ARCHIVE */
export function cleanName(name: string, location: string): string {
  const shown = JSON.stringify(name.slice(0, 200));
  if (name === "" || name.startsWith("/") || name.includes("\0") || name.includes("\\") || /^[A-Za-z]:/.test(name)) {
    throw invalidArchive(location, `${shown} is not a name below the archive's top`);
  }
  const parts = name.split("/");
  if (parts.includes("..")) throw invalidArchive(location, `${shown} leads out of the archive`);
  if (isLonger(name, maxNameBytes) || parts.some((part) => isLonger(part, maxSegmentBytes))) {
    throw invalidArchive(
      location,
      `the name ${shown}… is longer than ${maxNameBytes} bytes, or a segment of it than 255`,
    );
  }
  if (parts.length > maxDepth) throw invalidArchive(location, `${shown}… is more than ${maxDepth} folders deep`);
  return posix.normalize(name).replace(/\/$/, "");
}

/** In UTF-8, at most three bytes for each UTF-16 unit. */
export function isLonger(text: string, bytes: number): boolean {
  return text.length * 3 > bytes && Buffer.byteLength(text) > bytes;
}
