import { join } from "node:path";
import { type Digest, digestAlgorithm, digestEncoded } from "@mote/core";

/** The path of a blob in a layout (image-spec, image-layout.md, "Content"). */
export function blobName(digest: Digest): string {
  return `blobs/${digestAlgorithm(digest)}/${digestEncoded(digest)}`;
}

export function blobPath(dir: string, digest: Digest): string {
  return join(dir, blobName(digest));
}

export function indexPath(dir: string): string {
  return join(dir, "index.json");
}

export function markerPath(dir: string): string {
  return join(dir, "oci-layout");
}
