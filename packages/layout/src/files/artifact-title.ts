import { posix } from "node:path";
import { MoteError } from "@mote/core";
import { isReservedName } from "../disk/temporary-name.js";
import { isLonger, maxDepth, maxNameBytes, maxSegmentBytes } from "../tar/entry-name.js";

/** image-spec, annotations.md: the path of a layer's file or folder below the destination folder. */
export const titleAnnotation = "org.opencontainers.image.title";
/** As in oras: marks the layer as a folder in a tar, and gives the digest of the uncompressed tar. */
export const unpackAnnotation = "io.deis.oras.content.unpack";
export const contentDigestAnnotation = "io.deis.oras.content.digest";

/** The default artifact type (image-spec, manifest.md, guidelines for artifact usage; like oras). */
export const unknownArtifactType = "application/vnd.unknown.artifact.v1";

/** Normalizes a title to a path with `/`, without a trailing one; `.` is the folder itself. @throws MOTE_INVALID_NAME if not inside */
export function cleanTitle(title: string): string {
  const problem = problemWith(title);
  if (problem === undefined) return posix.normalize(title).replace(/(?<=.)\/$/, "");
  const shown = JSON.stringify(title.slice(0, 200));
  throw new MoteError("MOTE_INVALID_NAME", `${shown} cannot be the name of a file in a folder: ${problem}`, {
    details: { name: title.slice(0, 4096) },
  });
}

function problemWith(title: string): string | undefined {
  if (title === "") return "it is empty";
  const names = title.split("/");
  if (isLonger(title, maxNameBytes) || names.some((name) => isLonger(name, maxSegmentBytes))) {
    return `it is longer than ${maxNameBytes} bytes, or a segment of it than ${maxSegmentBytes}`;
  }
  if (names.length > maxDepth) return `it is more than ${maxDepth} folders deep`;
  if (title.startsWith("/") || /^[A-Za-z]:/.test(title)) return "it is absolute";
  if (title.includes("\\")) return "it has a backslash, which separates names on some systems";
  if (/\p{Cc}/u.test(title)) return "it has control characters";
  if (names.includes("..")) return "it leads out of the folder";
  if (names.some(isReservedName)) return "such names are reserved for incomplete files";
  return undefined;
}

/** Checks that no title equals or contains another. @throws MOTE_INVALID_NAME */
export function assertApart(titles: readonly string[]): void {
  const all = new Set<string>();
  for (const title of titles) {
    if (all.has(title)) throw meeting(title, title);
    all.add(title);
  }
  if (all.size > 1 && all.has(".")) throw meeting(".", titles.find((title) => title !== ".") ?? ".");
  for (const title of titles) {
    for (let slash = title.indexOf("/"); slash > 0; slash = title.indexOf("/", slash + 1)) {
      if (all.has(title.slice(0, slash))) throw meeting(title.slice(0, slash), title);
    }
  }
}

function meeting(one: string, other: string): MoteError {
  const what =
    one === other
      ? `two things are both called ${JSON.stringify(one)}`
      : `${JSON.stringify(other)} is below ${JSON.stringify(one)}, which is listed separately`;
  return new MoteError("MOTE_INVALID_NAME", `an artifact cannot contain both: ${what}; give each file once`, {
    details: { name: other },
  });
}
