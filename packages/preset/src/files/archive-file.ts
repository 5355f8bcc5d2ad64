/** Returns whether a file looks like an archive: a tar, a compressed file, or the first part or the list of parts of an archive. */
export async function isArchiveFile(path: string): Promise<boolean> {
  const layout = await import("@mote/layout");
  return layout.isArchiveFile(path);
}

/** Returns the transport that reads images from a tar; undefined if it has none, or is not a tar. */
export async function archiveTransport(path: string): Promise<"oci-archive" | "docker-archive" | undefined> {
  const layout = await import("@mote/layout");
  return layout.archiveTransport(path);
}
