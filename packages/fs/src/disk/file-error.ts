import { isAbsolute } from "node:path";
import { detailOf, errorCode, MoteError } from "@mote/core";

/** Read errors that may affect only one file. */
const ofOneFile = new Set([
  ...["EACCES", "EPERM", "EIO", "ESTALE", "EUCLEAN", "EBADMSG", "ENODATA", "EREMOTEIO", "ENXIO", "EFBIG"],
]);

/** Returns whether only this file cannot be read (permissions, a bad sector), as opposed to a process or system limit. */
export function isUnreadable(error: unknown): boolean {
  return [errorCode(error), detailOf(error, "errno")].some((code) => typeof code === "string" && ofOneFile.has(code));
}

const full = new Set(["ENOSPC", "EDQUOT"]);
const denied = new Set(["EACCES", "EPERM", "EROFS"]);
const inTheWay = new Set(["ENOTDIR", "EEXIST"]);

/** Converts the error of a failed system call to a MoteError that says what to do. Returns any other error as it is. */
export function fileError(error: unknown, action: "read" | "write", path: string): unknown {
  const code = errorCode(error);
  if (MoteError.isInstance(error) || code === undefined || !/^E[A-Z0-9]+$/.test(code)) return error;
  const name = isAbsolute(path) ? path : `"${path}"`;
  const options = { cause: error, details: { path, errno: code } };
  if (full.has(code)) {
    return new MoteError("MOTE_NO_SPACE", `cannot write ${name}: no space left (${code}); free disk space`, options);
  }
  if (denied.has(code) && action === "write") {
    return new MoteError(
      "MOTE_UNWRITABLE",
      `cannot write ${name}: permission denied or read-only (${code}); check its permissions and mount`,
      options,
    );
  }
  if (inTheWay.has(code) && action === "write") {
    return new MoteError(
      "MOTE_UNWRITABLE",
      `cannot write ${name}: not a directory (${code}); choose another location`,
      options,
    );
  }
  const isTooLarge = code === "EFBIG" && action === "read";
  const advice = isTooLarge ? "; it is too large to be one of the cache's files: move it away" : adviceOn(code);
  return new MoteError("MOTE_IO", `cannot ${action} ${name} (${code})${advice}`, options);
}

function adviceOn(code: string): string {
  if (code === "EMFILE" || code === "ENFILE")
    return "; too many files are open: raise the limit or lower the concurrency";
  if (denied.has(code)) return "; check its permissions and owner";
  if (code === "EISDIR") return "; it is a directory: move it away";
  return code === "EIO" ? "; the disk or its connection may be failing" : "";
}
