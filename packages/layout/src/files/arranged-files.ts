import { type Descriptor, digestBytes, type Manifest } from "@mote/core";
import type { ArtifactFiles } from "./artifact-files.js";

/** A small file that refers to others, and is placed after them. */
export interface PointerFile {
  /** Below the destination folder. */
  readonly path: string;
  /** `manifest` for the manifest itself. */
  readonly content: Uint8Array | "manifest";
}

export interface ArrangedFiles extends ArtifactFiles {
  readonly pointers?: readonly PointerFile[];
}

/** Returns the files of a manifest and where they are placed. */
export type Arrange = (manifest: Manifest, descriptor: Descriptor) => ArrangedFiles;

/** Returns the digest and size of a pointer file. */
export function identityOf({ content }: PointerFile, manifest: Descriptor): Pick<Descriptor, "digest" | "size"> {
  return content === "manifest" ? manifest : { digest: digestBytes(content), size: content.byteLength };
}

/** Moves the files of an artifact to a folder below the destination folder. */
export function arrangeBelow(below: string, { files, notes }: ArtifactFiles): ArrangedFiles {
  return { notes, files: files.map((file) => ({ ...file, below })) };
}
