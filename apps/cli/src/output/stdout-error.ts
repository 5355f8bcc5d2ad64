import { errorCode, MoteError } from "@mote/core";

/** Returns whether the reader of stdout stopped early, as in `mote ls | head`, which is not an error of the command. */
export function isClosedByReader(error: unknown): boolean {
  return errorCode(error) === "EPIPE";
}

/** Returns the error for a write to stdout that failed. */
export function stdoutError(error: unknown): MoteError {
  const code = errorCode(error);
  if (isClosedByReader(error)) {
    return new MoteError("MOTE_IO", "cannot write stdout: its reader closed it before the end", { cause: error });
  }
  if (code !== "ENOSPC")
    return new MoteError("MOTE_IO", `cannot write stdout: ${code ?? String(error)}`, { cause: error });
  return new MoteError("MOTE_NO_SPACE", "cannot write stdout: no space left (ENOSPC); free disk space", {
    cause: error,
  });
}
