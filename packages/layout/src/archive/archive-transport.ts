import { type Cancellable, MoteError } from "@mote/core";
import { ArchiveFiles } from "../tar/archive-files.js";

/** Returns the transport that reads images from a tar; undefined if it has none, or is not a tar. */
export async function archiveTransport(
  path: string,
  options: Cancellable = {},
): Promise<"oci-archive" | "docker-archive" | undefined> {
  await using files = new ArchiveFiles(path);
  try {
    const names = await files.names(options);
    if (names.includes("index.json") && names.includes("oci-layout")) return "oci-archive";
    return names.includes("manifest.json") ? "docker-archive" : undefined;
  } catch (error) {
    options.signal?.throwIfAborted();
    if (MoteError.isInstance(error)) return undefined;
    throw error;
  }
}
