import { closeSync, constants, fstatSync, openSync, readFileSync, type Stats } from "node:fs";

/**
 * Opens a regular file that the user names, for reading. The caller closes it.
 * @throws Error with the reason, and with the system's `code` if a system call failed
 */
export function openNamedFile(path: string): number {
  // Opening a FIFO would block otherwise. Windows has no such flag. The descriptor is checked, not the name.
  const fd = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  try {
    const stats = fstatSync(fd);
    if (stats.isFile()) return fd;
    throw new Error(`${kindOf(stats)} is not a regular file`);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** Reads a small text file that the user names. @throws as `openNamedFile` */
export function readNamedFile(path: string, maxBytes: number): string {
  const fd = openNamedFile(path);
  try {
    const { size } = fstatSync(fd);
    if (size > maxBytes) throw new Error(`it has ${size} bytes; the limit is ${maxBytes}`);
    return readFileSync(fd, "utf8");
  } finally {
    closeSync(fd);
  }
}

/** Returns why a file cannot be read, for a message. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return "code" in error && typeof error.code === "string" ? error.code : error.message;
}

function kindOf(stats: Stats): string {
  if (stats.isDirectory()) return "a directory";
  if (stats.isFIFO()) return "a FIFO";
  return stats.isSocket() ? "a socket" : "a device";
}
