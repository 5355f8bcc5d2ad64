import { mkdirSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { MoteError } from "@mote/core";
import { errorCode } from "./file-error.js";

/**
 * `mkdir -p`, without Node's own: that never returns where a folder is there in which nothing can be made, such as /proc
 * (Node 20). With `mode`, where the umask leaves it, for all that is made. Answers the first folder that was made.
 * @throws MOTE_UNWRITABLE there, else what the system calls throw
 */
export function makeFolders(path: string, mode?: number): string | undefined {
  const outcome = makeFolder(path, mode);
  if (outcome !== "no parent") return outcome === "made" ? path : undefined;
  const first = dirname(path) === path ? undefined : makeFolders(dirname(path), mode);
  if (makeFolder(path, mode) === "no parent") {
    throw new MoteError("MOTE_UNWRITABLE", `${path} cannot be made: ${dirname(path)} takes no folders`, {
      details: { path, errno: "ENOENT" },
    });
  }
  return first ?? path;
}

function makeFolder(path: string, mode: number | undefined): "made" | "there" | "no parent" {
  try {
    mkdirSync(path, { mode });
    return "made";
  } catch (error) {
    const code = errorCode(error);
    if (code === "ENOENT") return "no parent";
    if (code === "EEXIST" && statSync(path, { throwIfNoEntry: false })?.isDirectory()) return "there";
    throw error;
  }
}
