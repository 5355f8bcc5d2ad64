import { join } from "node:path";
import { type Digest, digestEncoded, MoteError } from "@mote/core";

/** The format of skopeo's `dir` transport (containers/image, directory transport): blobs under their hexadecimal digits. */
export const dirVersion = "Directory Transport Version: 1.1\n";

export function assertDirVersion(version: string, dir: string): void {
  if (/^Directory Transport Version: 1\./.test(version)) return;
  // Anything else may be of a file that the version file is a link to.
  const named = /^Directory Transport Version: [\d.]{1,16}/.exec(version)?.[0] ?? "not a version of the format";
  throw new MoteError("MOTE_UNSUPPORTED_FORMAT", `${dir} is of another version than 1: ${named}`, {
    details: { path: dir },
  });
}

export function dirBlobPath(dir: string, digest: Digest): string {
  return join(dir, digestEncoded(digest));
}

/** Of a manifest that is not the image's own, but one of an index. */
export function dirInstanceName(digest: Digest): string {
  return `${digestEncoded(digest)}.manifest.json`;
}
