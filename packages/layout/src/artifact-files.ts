import { type Descriptor, type Manifest, MoteError } from "@mote/core";
import {
  assertApart,
  cleanTitle,
  contentDigestAnnotation,
  titleAnnotation,
  unpackAnnotation,
} from "./artifact-title.js";

/** A layer that is a file, or a folder as a tar. */
export interface ArtifactFile {
  /** Its path below the folder that it goes to. */
  readonly title: string;
  readonly descriptor: Descriptor;
  readonly isFolder: boolean;
  /** Of a folder: the digest that its tar is said to have before compression. */
  readonly contentDigest: string | undefined;
}

/**
 * The files of an artifact: its layers with a title. Layers without one are no files, as with oras.
 * @throws MOTE_NOT_FILES where there is none: a container image, an index · MOTE_INVALID_NAME
 */
export function artifactFiles(manifest: Manifest): readonly ArtifactFile[] {
  const instead = "pull it into an image layout (oci:DIR:TAG)";
  if (manifest.kind === "index") {
    throw new MoteError("MOTE_NOT_FILES", `this is an index of several manifests; choose one platform, or ${instead}`);
  }
  const files = manifest.layers.flatMap((descriptor) => {
    const { annotations = {} } = descriptor;
    const title = annotations[titleAnnotation];
    if (title === undefined) return [];
    const isFolder = annotations[unpackAnnotation] === "true";
    const contentDigest = annotations[contentDigestAnnotation];
    return [{ title: cleanTitle(title), descriptor, isFolder, contentDigest }];
  });
  if (files.length === 0) {
    throw new MoteError(
      "MOTE_NOT_FILES",
      `none of its ${manifest.layers.length} layers has a file's name (${titleAnnotation}), as of a container image; ${instead}`,
    );
  }
  const nameless = files.find(({ title, isFolder }) => title === "." && !isFolder);
  if (nameless !== undefined) throw new MoteError("MOTE_INVALID_NAME", 'a file cannot be called "."');
  assertApart(files.map(({ title }) => title));
  return files;
}
