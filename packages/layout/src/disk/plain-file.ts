import fs from "node:fs";
import { errorCode, MoteError, readRegularFile, reasonOf } from "@mote/core";

/** For the files that mark a folder's format. */
const maxBytes = 4 * 1024 * 1024;

/** Reads a small file of a folder. @throws MOTE_IO if it is not a small regular file · system errors */
export function readPlainFile(path: string): Uint8Array {
  try {
    return readRegularFile(path, fs, maxBytes);
  } catch (cause) {
    if (errorCode(cause) !== undefined) throw cause;
    throw new MoteError("MOTE_IO", `cannot read ${path}: ${reasonOf(cause)}`, { cause, details: { path } });
  }
}
