import { statfsSync } from "node:fs";
import { MoteError } from "@mote/core";

/** What LMDB says of a file that it cannot make sense of (lmdb.h, "Return Codes"). */
const damageCodes: ReadonlySet<unknown> = new Set([
  -30797, // MDB_PAGE_NOTFOUND
  -30796, // MDB_CORRUPTED
  -30795, // MDB_PANIC
  -30793, // MDB_INVALID
  -30782, // MDB_BAD_TXN, at commit
  -30780, // MDB_BAD_DBI
  -30779, // MDB_PROBLEM
]);
/** Room that a small transaction may take. */
const neededBytes = 64 * 1024;
const outOfSpace: ReadonlySet<unknown> = new Set(["ENOSPC", "EDQUOT", 28, 122]);
/** What LMDB makes of a write that the disk took a part of. */
const inputOutput: ReadonlySet<unknown> = new Set(["EIO", 5]);
const notWritable: ReadonlySet<unknown> = new Set(["EACCES", "EPERM", "EROFS", 1, 13, 30]);

export function errorCode(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}

/** An error of LMDB or the file system as what it means to the blob-info cache; any other as it is. */
export function storageError(error: unknown, path: string): unknown {
  const code = errorCode(error);
  const wrap = (moteCode: string, message: string) =>
    new MoteError(moteCode, `${path}: ${message}`, { cause: error, details: { path } });
  if (damageCodes.has(code) || isUnreadable(error)) {
    return wrap("MOTE_CORRUPT", "the blob-info cache's file is damaged; it is set aside when it is opened again");
  }
  if (MoteError.isInstance(error) || code === undefined) return error;
  if (outOfSpace.has(code) || (inputOutput.has(code) && isDiskFull(path)))
    return wrap("MOTE_NO_SPACE", "the disk is full; make room, then record again");
  if (notWritable.has(code)) return wrap("MOTE_UNWRITABLE", "the file cannot be written; check its permissions");
  return wrap("MOTE_IO", "reading or writing the blob-info cache failed; see the cause");
}

export function isDiskFull(path: string): boolean {
  const { blocks, bavail, bsize } = statfsSync(path);
  return blocks > 0 && bavail * bsize < neededBytes;
}

/** Reading a row throws these where it is not as it was written. */
function isUnreadable(error: unknown): boolean {
  if (MoteError.isInstance(error)) return error.code === "MOTE_INVALID_DIGEST";
  return error instanceof RangeError || error instanceof TypeError || error instanceof SyntaxError;
}
