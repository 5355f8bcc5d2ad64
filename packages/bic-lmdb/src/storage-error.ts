import { statfsSync } from "node:fs";
import { MoteError } from "@mote/core";

// LMDB's codes for a damaged file (lmdb.h, "Return Codes").
const damageCodes: ReadonlySet<unknown> = new Set([
  -30797, // MDB_PAGE_NOTFOUND
  -30796, // MDB_CORRUPTED
  -30795, // MDB_PANIC
  -30793, // MDB_INVALID
  -30782, // MDB_BAD_TXN, at commit
  -30780, // MDB_BAD_DBI
  -30779, // MDB_PROBLEM
]);
// Space that a small transaction may need.
const neededBytes = 64 * 1024;
const outOfSpace: ReadonlySet<unknown> = new Set(["ENOSPC", "EDQUOT", 28, 122]);
// LMDB's codes for an incomplete write.
const inputOutput: ReadonlySet<unknown> = new Set(["EIO", 5]);
const notWritable: ReadonlySet<unknown> = new Set(["EACCES", "EPERM", "EROFS", 1, 13, 30]);

export function errorCode(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}

/** Converts an error of LMDB or the file system to a MoteError. Returns any other error unchanged. */
export function storageError(error: unknown, path: string): unknown {
  const code = errorCode(error);
  const wrap = (moteCode: string, message: string) =>
    new MoteError(moteCode, `${path}: ${message}`, { cause: error, details: { path } });
  if (damageCodes.has(code) || isUnreadable(error)) {
    return wrap("MOTE_CORRUPT", "the file of the blob-info cache is damaged; it is renamed when it is opened again");
  }
  if (MoteError.isInstance(error) || code === undefined) return error;
  if (outOfSpace.has(code) || (inputOutput.has(code) && isDiskFull(path)))
    return wrap("MOTE_NO_SPACE", "the disk is full; free disk space and retry");
  if (notWritable.has(code)) return wrap("MOTE_UNWRITABLE", "the file cannot be written; check its permissions");
  return wrap("MOTE_IO", "cannot read or write the blob-info cache; see the cause");
}

export function unsupported(path: string, reason: string): MoteError {
  return new MoteError(
    "MOTE_UNSUPPORTED_FORMAT",
    `cannot use ${path} as a blob-info cache: ${reason}; give another path, or remove the file`,
    { details: { path, reason } },
  );
}

export function isDiskFull(path: string): boolean {
  const { blocks, bavail, bsize } = statfsSync(path);
  return blocks > 0 && bavail * bsize < neededBytes;
}

// The errors of reading a damaged row.
function isUnreadable(error: unknown): boolean {
  if (MoteError.isInstance(error)) return error.code === "MOTE_INVALID_DIGEST";
  return error instanceof RangeError || error instanceof TypeError || error instanceof SyntaxError;
}
