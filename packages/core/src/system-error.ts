import { MoteError } from "./error.js";

/** Returns the code of a failed system call, such as `ENOENT`; undefined for any other error. */
export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

/** Returns whether a system call failed because the path does not exist. */
export function isAbsent(error: unknown): boolean {
  const code = errorCode(error);
  return code === "ENOENT" || code === "ENOTDIR";
}

/** Returns the code of a failed system call, or the message of any other error. */
export function reasonOf(error: unknown): string {
  return errorCode(error) ?? messageOf(error);
}

/** Returns the message of an error, or any other thrown value as text. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Returns a detail of a `MoteError`; undefined if it has no such detail or is another error. */
export function detailOf(error: unknown, name: string): unknown {
  return MoteError.isInstance(error) ? Reflect.get(error.details ?? {}, name) : undefined;
}
