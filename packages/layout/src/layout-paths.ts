import { join } from "node:path";
import { type Digest, digestAlgorithm, digestEncoded, parseDigest } from "@mote/core";

/** image-spec, image-layout.md, "Content". */
export function blobFolder(dir: string, digest: Digest): string {
  return join(dir, "blobs", digestAlgorithm(parseDigest(digest)));
}

export function blobPath(dir: string, digest: Digest): string {
  return join(blobFolder(dir, digest), digestEncoded(digest));
}

export function indexPath(dir: string): string {
  return join(dir, "index.json");
}

export function markerPath(dir: string): string {
  return join(dir, "oci-layout");
}
