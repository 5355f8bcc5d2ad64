import { existsSync } from "node:fs";
import { lstat } from "node:fs/promises";
import { dirname } from "node:path";
import { MoteError } from "@mote/core";
import { writeFileAtomically } from "../disk/atomic-write.js";
import { temporaryPath } from "../disk/temporary-name.js";
import { type OutputFileOptions, writeStream } from "./output-stream.js";
import { findOutputTarget } from "./output-target.js";

/**
 * Writes one file named by the user. A regular file or a link's target is replaced atomically; a FIFO, a device and `-` (stdout)
 * are written sequentially. @throws MOTE_UNWRITABLE for a directory, a socket, a terminal, a dangling link · as `writeStream`
 */
export async function writeOutputFile(
  path: string,
  chunks: AsyncIterable<Uint8Array>,
  options: OutputFileOptions = {},
): Promise<void> {
  const target = findOutputTarget(path);
  if (target.kind === "stream") return writeStream(target.path, chunks, options);
  const statsOf = () => lstat(target.path).catch(() => undefined);
  if (!existsSync(dirname(target.path))) {
    throw unwritable(path, "its directory does not exist; create it first");
  }
  const before = await statsOf();
  const written = await writeFileAtomically(target.path, chunks, {
    temporary: temporaryPath(dirname(target.path)),
    mode: before && before.mode & 0o777,
    mayReplace: async () => (await statsOf())?.isFile() ?? true,
    signal: options.signal,
  });
  if (written) return;
  throw unwritable(path, "another process put something else there; try again");
}

function unwritable(path: string, why: string): MoteError {
  return new MoteError("MOTE_UNWRITABLE", `cannot write ${path}: ${why}`, { details: { path } });
}
