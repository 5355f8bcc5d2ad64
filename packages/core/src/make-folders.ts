import { MoteError } from "./error.js";
import { errorCode } from "./system-error.js";

/** The functions of `node:fs` and `node:path` that are used. */
export interface FolderCalls {
  mkdirSync(path: string, options: { readonly mode?: number | undefined }): unknown;
  statSync(path: string, options: { readonly throwIfNoEntry: false }): { isDirectory(): boolean } | undefined;
  dirname(path: string): string;
}

/**
 * Creates a folder and its missing parents. Recursive `mkdir` of Node 20 does not return below folders such as /proc.
 * @param mode the mode of new folders before the umask is applied
 * @returns the first folder that was created; undefined if all of them existed
 * @throws MOTE_UNWRITABLE if a folder cannot be created in its parent · what the system calls throw
 */
export function makeFolders(
  path: string,
  calls: FolderCalls,
  { mode }: { readonly mode?: number | undefined } = {},
): string | undefined {
  const outcome = makeFolder(path, calls, mode);
  if (outcome !== "no parent") return outcome === "created" ? path : undefined;
  const parent = calls.dirname(path);
  const first = parent === path ? undefined : makeFolders(parent, calls, { mode });
  if (makeFolder(path, calls, mode) === "no parent") {
    const message = `cannot create ${path}: ${parent} does not allow it; choose another location`;
    throw new MoteError("MOTE_UNWRITABLE", message, { details: { path, errno: "ENOENT" } });
  }
  return first ?? path;
}

function makeFolder(path: string, calls: FolderCalls, mode: number | undefined): "created" | "exists" | "no parent" {
  const exists = () => calls.statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
  // Most often it exists: an error costs more than a look.
  if (exists()) return "exists";
  try {
    calls.mkdirSync(path, { mode });
    return "created";
  } catch (error) {
    const code = errorCode(error);
    if (code === "ENOENT") return "no parent";
    if (code === "EEXIST" && exists()) return "exists";
    throw error;
  }
}
