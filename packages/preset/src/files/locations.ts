import { resolve } from "node:path";
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

/** Returns whether a file looks like an archive: a tar, a compressed file, or the first part or the list of parts of an archive. */
export async function isArchiveFile(path: string): Promise<boolean> {
  return (await import("@mote/layout")).isArchiveFile(path);
}

/** Returns the transport that reads images from a tar; undefined if it has none, or is not a tar. */
export async function archiveTransport(path: string): Promise<"oci-archive" | "docker-archive" | undefined> {
  return (await import("@mote/layout")).archiveTransport(path);
}

/** Checks, without opening the cache, that its folder is a directory or could be created. @throws MOTE_UNWRITABLE */
export async function checkCacheFolder(dir: string): Promise<void> {
  (await import("@mote/fs")).checkFolderLocation(resolve(dir));
}
