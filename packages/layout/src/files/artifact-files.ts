import { posix } from "node:path";
import { type Descriptor, detailOf, type ImageManifest, type Manifest, MoteError, manifestKind } from "@mote/core";
import {
  assertApart,
  cleanTitle,
  contentDigestAnnotation,
  titleAnnotation,
  unpackAnnotation,
} from "./artifact-title.js";
import { type ModelPart, modelParts } from "./model-formats.js";
import { suggestTitle } from "./suggested-title.js";

/** Maximum layers listed in a message. */
const shownLayers = 4;

/** A layer that is a file, or a folder in a tar. */
export interface ArtifactFile {
  /** Its path below the destination folder. */
  readonly title: string;
  readonly descriptor: Descriptor;
  readonly isFolder: boolean;
  /** For a folder: the declared digest of its uncompressed tar. */
  readonly contentDigest?: string | undefined;
  /** For a folder: the path in the tar that all names are below. Default: the title. */
  readonly root?: string;
  /** The folder that its path, or the names in its tar, are below. Default: the destination folder. */
  readonly below?: string;
  readonly isProgram?: boolean;
}

/** Returns the path of a file or folder below the destination folder. */
export function pathOf({ title, root, below = "." }: ArtifactFile): string {
  return posix.join(below, root ?? title);
}

export interface ArtifactFiles {
  readonly files: readonly ArtifactFile[];
  /** Notes for the user: layers without a title, which are skipped, or a generated name. */
  readonly notes: readonly string[];
}

/**
 * Returns the files of an artifact: those of a model of a known format, the layers with a title, or a single one without, named by
 * `suggestTitle`.
 * @throws MOTE_NOT_FILES if there are none: a container image, an index · MOTE_INVALID_NAME with the layer's digest
 */
export function artifactFiles(manifest: Manifest): ArtifactFiles {
  if (manifest.kind === "index") {
    throw notFiles(`this is an index of several manifests; choose one platform, or ${intoLayout}`);
  }
  const { layers } = manifest;
  if (layers.length === 0) throw notFiles(`it has no layers, so there are no files; ${intoLayout}`);
  const parts = modelParts(manifest);
  if (parts !== undefined) return { files: modelFiles(manifest, parts), notes: [] };
  const untitled = layers.filter((layer) => titleOf(layer) === undefined);
  const [first, ...others] = untitled;
  if (first !== undefined && untitled.length === layers.length) return fileWithoutTitle(manifest, first, others);
  const files = layers.flatMap((descriptor): ArtifactFile[] => {
    const { annotations = {} } = descriptor;
    const title = titleOf(descriptor);
    if (title === undefined) return [];
    const isFolder = annotations[unpackAnnotation] === "true";
    const contentDigest = annotations[contentDigestAnnotation];
    return [{ title: cleanedTitle(title, { manifest, descriptor, isFolder }), descriptor, isFolder, contentDigest }];
  });
  assertTitlesApart(files);
  const left = first === undefined ? [] : [`left out ${without(untitled)}; ${howToGet(manifest, first)}`];
  return { files, notes: left };
}

function modelFiles(manifest: ImageManifest, parts: readonly ModelPart[]): readonly ArtifactFile[] {
  const files = parts.map(({ name, descriptor, isArchive, isProgram }): ArtifactFile => {
    const title = cleanedTitle(name, { manifest, descriptor, isFolder: isArchive });
    return { title, descriptor, isFolder: isArchive, isProgram, ...(isArchive ? { root: "." } : {}) };
  });
  assertTitlesApart(files.filter(({ isFolder }) => !isFolder));
  return files;
}

/** An empty title counts as none. */
function titleOf({ annotations }: Descriptor): string | undefined {
  return annotations?.[titleAnnotation] || undefined;
}

function fileWithoutTitle(manifest: ImageManifest, layer: Descriptor, others: readonly Descriptor[]): ArtifactFiles {
  if (manifestKind(manifest) === "image") {
    throw notFiles(
      `none of its ${manifest.layers.length} layers has a file name (${titleAnnotation}), as it is a container image; ${intoLayout}`,
    );
  }
  if (others.length > 0) {
    throw notFiles(
      `no files to write: ${without(manifest.layers)}; ${howToGet(manifest, layer)}, or ${intoLayout}`,
      manifest.layers,
    );
  }
  const title = suggestTitle(layer, manifest);
  const file = { title, descriptor: layer, isFolder: false };
  return { files: [file], notes: [`${without([layer])}; it is written as ${title}`] };
}

const intoLayout = "pull it into an image layout (oci:DIR:TAG)";

function without(layers: readonly Descriptor[]): string {
  const shown = layers.slice(0, shownLayers).map(({ digest, mediaType }) => `${digest} (${mediaType})`);
  const more = layers.length - shown.length;
  const verb = layers.length === 1 ? "has" : "have";
  return `${shown.join(", ")}${more > 0 ? ` and ${more} more` : ""} ${verb} no file name (${titleAnnotation})`;
}

function howToGet(manifest: ImageManifest, layer: Descriptor): string {
  return `pull it into the cache, then write each to a file: mote cat ${layer.digest} > ${suggestTitle(layer, manifest)}`;
}

function cleanedTitle(
  title: string,
  { manifest, descriptor, isFolder }: Pick<ArtifactFile, "descriptor" | "isFolder"> & { manifest: ImageManifest },
): string {
  try {
    const clean = cleanTitle(title);
    if (clean !== "." || isFolder) return clean;
    throw new MoteError("MOTE_INVALID_NAME", 'a file cannot be called "."', { details: { name: title } });
  } catch (error) {
    if (!MoteError.isInstance(error)) throw error;
    throw new MoteError(error.code, `${error.message}; ${howToGet(manifest, descriptor)}`, {
      cause: error,
      details: { ...error.details, digest: descriptor.digest },
    });
  }
}

function assertTitlesApart(files: readonly ArtifactFile[]): void {
  try {
    assertApart(files.map(({ title }) => title));
  } catch (error) {
    const name = detailOf(error, "name");
    const digests = files.filter(({ title }) => title === name).map(({ descriptor }) => descriptor.digest);
    if (!MoteError.isInstance(error)) throw error;
    throw new MoteError(error.code, `${error.message} (${digests.join(", ")}); ${intoLayout}`, {
      cause: error,
      details: { name, digests },
    });
  }
}

function notFiles(message: string, layers: readonly Descriptor[] = []): MoteError {
  const details = layers.length === 0 ? {} : { details: { digests: layers.map(({ digest }) => digest) } };
  return new MoteError("MOTE_NOT_FILES", message, details);
}
