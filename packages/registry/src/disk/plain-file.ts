import { closeSync, constants, fstatSync, openSync, readFileSync, type Stats } from "node:fs";

/**
 * Reads a small text file that a user or a configuration names. Only a regular file is read: opening a FIFO or a device may wait
 * for ever, and it is the open descriptor that is looked at, not the name.
 * @throws Error whose message says why, with the system's `code` if a system call failed
 */
export function readPlainFile(path: string, maxBytes: number): string {
  // On Windows there is no such flag, and nothing that blocks.
  const fd = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  try {
    const stats = fstatSync(fd);
    if (!stats.isFile()) throw new Error(`it is ${kindOf(stats)}, not a regular file`);
    if (stats.size > maxBytes) throw new Error(`it has ${stats.size} bytes, and ${maxBytes} is the limit`);
    return readFileSync(fd, "utf8");
  } finally {
    closeSync(fd);
  }
}

/** Tells what exists at the path of a regular file. */
export function kindOf(stats: Pick<Stats, "isDirectory" | "isFIFO" | "isSocket">): string {
  if (stats.isDirectory()) return "a directory";
  if (stats.isFIFO()) return "a FIFO";
  return stats.isSocket() ? "a socket" : "a device";
}

/** Why a file could not be read or written, for a message. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return "code" in error && typeof error.code === "string" ? error.code : error.message;
}

export function isAbsent(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENOTDIR");
}
