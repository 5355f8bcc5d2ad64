import { join } from "node:path";
import { type Digest, digestEncoded, MoteError } from "@mote/core";

/** The format of skopeo's `dir` transport (containers/image, directory transport): blobs named by their hex digits. */
export const dirVersion = "Directory Transport Version: 1.1\n";

export function assertDirVersion(version: string, dir: string): void {
  if (/^Directory Transport Version: 1\./.test(version)) return;
  // Other text may come from a file that the version file links to.
  const named = /^Directory Transport Version: [\d.]{1,16}/.exec(version)?.[0] ?? "not a version of the format";
  throw new MoteError("MOTE_UNSUPPORTED_FORMAT", `${dir} does not have version 1: ${named}`, {
    details: { path: dir },
  });
}

export function dirBlobPath(dir: string, digest: Digest): string {
  return join(dir, digestEncoded(digest));
}

/** A manifest listed by the image's index. */
export function dirInstanceName(digest: Digest): string {
  return `${digestEncoded(digest)}.manifest.json`;
}
