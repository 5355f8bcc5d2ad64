import type { OutputFileOptions } from "@mote/layout";
import { knownTransports, parseRef } from "@mote/ref";

/** Returns whether a destination writes to this process's stdout: an archive whose path is `-`, `/dev/stdout` or the like. */
export async function goesToStdout(destination: string): Promise<boolean> {
  // Most destinations are something else, and do not wait for the package.
  const row = knownTransports.find(destination.slice(0, Math.max(0, destination.indexOf(":"))));
  if (row?.path !== "file") return false;
  const ref = parseRef(destination);
  const { isStdout } = await import("@mote/layout");
  return ref.transport !== "docker" && isStdout(ref.path);
}

/** Returns whether what is written to the path comes out of this process's stdout. */
export async function isStdout(path: string): Promise<boolean> {
  return (await import("@mote/layout")).isStdout(path);
}

/** Writes one file that a user named: see `@mote/layout`. */
export async function writeOutputFile(
  path: string,
  chunks: AsyncIterable<Uint8Array>,
  options: OutputFileOptions = {},
): Promise<void> {
  const { writeOutputFile: write } = await import("@mote/layout");
  return write(path, chunks, options);
}
