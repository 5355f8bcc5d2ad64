import { type Cancellable, errorCode, isAbsent, MoteError, type MoteErrorCode } from "@mote/core";

const codes: Readonly<Record<string, MoteErrorCode>> = {
  EACCES: "MOTE_UNWRITABLE",
  EPERM: "MOTE_UNWRITABLE",
  EROFS: "MOTE_UNWRITABLE",
  ENOSPC: "MOTE_NO_SPACE",
  EDQUOT: "MOTE_NO_SPACE",
};

const advice: Readonly<Record<string, string>> = {
  MOTE_UNWRITABLE: "check the permissions of the folder, or choose another one",
  MOTE_NO_SPACE: "free disk space, or choose another location",
};

/** Returns the error for a write that the file system rejected. */
export function writeFailed(error: unknown, path: string): MoteError {
  if (MoteError.isInstance(error)) return error;
  const number = errorCode(error);
  const code = (number === undefined ? undefined : codes[number]) ?? "MOTE_IO";
  const hint = advice[code];
  return new MoteError(code, `cannot write ${path}: ${number ?? String(error)}${hint ? `; ${hint}` : ""}`, {
    cause: error,
    details: { path },
  });
}

/** Waits for a write to the file system. @throws the reason of `signal`, else as `writeFailed` */
export async function attempt<T>(work: Promise<T>, path: string, { signal }: Cancellable = {}): Promise<T> {
  try {
    return await work;
  } catch (error) {
    signal?.throwIfAborted();
    throw writeFailed(error, path);
  }
}

/** Waits for a read from the file system. @throws as `readFailed` */
export async function attemptRead<T>(work: Promise<T>, path: string): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw readFailed(error, path);
  }
}

/** Returns the error for a read that the file system rejected. Only a file that does not exist is MOTE_NOT_FOUND. */
export function readFailed(error: unknown, path: string): MoteError {
  const number = errorCode(error);
  if (isAbsent(error)) {
    return new MoteError("MOTE_NOT_FOUND", `${path} does not exist`, { cause: error, details: { path } });
  }
  return new MoteError("MOTE_IO", `cannot read ${path}: ${number ?? String(error)}`, {
    cause: error,
    details: { path },
  });
}

export function closedError(path: string): MoteError {
  return new MoteError("MOTE_CLOSED", `the destination ${path} is closed`, { details: { path } });
}

/** @param location a path, or a name that begins with "the" */
export function invalidArchive(location: string, what: string): MoteError {
  const shown = location.startsWith("the ") ? location : `the archive ${location}`;
  return new MoteError("MOTE_INVALID_ARCHIVE", `cannot read ${shown}: ${what}`, {
    details: { path: location },
  });
}
