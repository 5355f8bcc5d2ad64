import { MoteError } from "@mote/core";

/** What LMDB says of a file that it cannot make sense of (lmdb.h, "Return Codes"). */
const damageCodes: ReadonlySet<unknown> = new Set([
  -30797, // MDB_PAGE_NOTFOUND
  -30796, // MDB_CORRUPTED
  -30795, // MDB_PANIC
  -30793, // MDB_INVALID
  -30780, // MDB_BAD_DBI
  -30779, // MDB_PROBLEM
]);
const outOfSpace: ReadonlySet<unknown> = new Set(["ENOSPC", "EDQUOT", 28, 122]);
const notWritable: ReadonlySet<unknown> = new Set(["EACCES", "EPERM", "EROFS", 1, 13, 30]);
/** What reading a row throws that is not as it was written. */
const unreadable: ReadonlySet<unknown> = new Set([
  "ERR_OUT_OF_RANGE",
  "ERR_BUFFER_OUT_OF_BOUNDS",
  "MOTE_INVALID_DIGEST",
]);

export function errorCode(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}

/** An error of LMDB or the file system as what it means to the blob-info cache. */
export function storageError(error: unknown, path: string): unknown {
  const code = errorCode(error);
  const wrap = (moteCode: string, message: string) =>
    new MoteError(moteCode, `${path}: ${message}`, { cause: error, details: { path } });
  if (damageCodes.has(code) || unreadable.has(code) || error instanceof SyntaxError) {
    return wrap("MOTE_CORRUPT", "the blob-info cache's file is damaged");
  }
  if (outOfSpace.has(code)) return wrap("MOTE_NO_SPACE", "the disk is full; make room, then record again");
  if (notWritable.has(code)) return wrap("MOTE_UNWRITABLE", "the file cannot be written; check its permissions");
  if (typeof code === "number" || typeof code === "string")
    return MoteError.isInstance(error) ? error : wrap("MOTE_IO", "reading or writing the blob-info cache failed");
  return error;
}
