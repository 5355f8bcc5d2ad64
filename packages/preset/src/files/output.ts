import type { OutputFileOptions } from "@mote/layout";
import { knownTransports, parseRef } from "@mote/ref";

/** Returns whether a destination is an archive on stdout: its path is `-`, `/dev/stdout` or similar. */
export async function goesToStdout(destination: string): Promise<boolean> {
  // Most are not, and need not import the package.
  const row = knownTransports.find(destination.slice(0, Math.max(0, destination.indexOf(":"))));
  if (row?.path !== "file") return false;
  const ref = parseRef(destination);
  const { isStdout } = await import("@mote/layout");
  return ref.transport !== "docker" && isStdout(ref.path);
}

/** Returns whether writing to the path writes to stdout. */
export async function isStdout(path: string): Promise<boolean> {
  return (await import("@mote/layout")).isStdout(path);
}

/** Writes a file for the user, as `writeOutputFile` of `@mote/layout` does. */
export async function writeOutputFile(
  path: string,
  chunks: AsyncIterable<Uint8Array>,
  options: OutputFileOptions = {},
): Promise<void> {
  const { writeOutputFile: write } = await import("@mote/layout");
  return write(path, chunks, options);
}
