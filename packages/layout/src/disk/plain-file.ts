import { closeSync, constants, fstatSync, openSync, readFileSync } from "node:fs";
import { MoteError } from "@mote/core";
import { kindOf } from "./file-error.js";

/** Of the files that say what a folder is. */
const maxBytes = 4 * 1024 * 1024;

/**
 * Reads a small file of a folder. Not blocking: a FIFO in its place must not hang the reader.
 * @throws MOTE_IO for what is not a small regular file · the error of a system call
 */
export function readPlainFile(path: string): Uint8Array {
  const fd = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  try {
    const stats = fstatSync(fd);
    if (stats.isFile() && stats.size <= maxBytes) return readFileSync(fd);
    const what = stats.isFile() ? "too large" : `${kindOf(stats)}, not a regular file`;
    throw new MoteError("MOTE_IO", `cannot read ${path}: it is ${what}`, { details: { path } });
  } finally {
    closeSync(fd);
  }
}
