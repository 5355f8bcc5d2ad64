import { MoteError } from "./error.js";

/** Returns the code of a failed system call, such as `ENOENT`; undefined for any other error. */
export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

/** Whether a system call failed because nothing has this path. */
export function isAbsent(error: unknown): boolean {
  const code = errorCode(error);
  return code === "ENOENT" || code === "ENOTDIR";
}

/** Returns why something failed, for a message: the code of a system call, else the error's message. */
export function reasonOf(error: unknown): string {
  return errorCode(error) ?? (error instanceof Error ? error.message : String(error));
}

/** Returns a detail of a MoteError; undefined if it has none of this name, or is another error. */
export function detailOf(error: unknown, name: string): unknown {
  return MoteError.isInstance(error) ? Reflect.get(error.details ?? {}, name) : undefined;
}
