import {
  type Descriptor,
  type Digest,
  digestBytes,
  isDigest,
  type Manifest,
  MoteError,
  mediaTypes,
  parseManifest,
} from "@mote/core";

/** The artifact type of deltas, as of containers/oci-delta. */
export const deltaArtifactType = "application/vnd.io.github.containers.oci-delta.v1";
/** The media type of a tar-diff. */
export const tarDiffMediaType = "application/vnd.tar-diff";

/** The largest manifest of a delta that is read, in bytes. */
export const maxDeltaManifestBytes = 1024 * 1024;
/** The longest header of a gzip stream that a delta keeps, in bytes. */
const maxHeaderBytes = 4096;
const maxEncoderNameLength = 100;

/** How a layer is made from the layers of another image. */
export interface LayerRecipe {
  /** The digest of the layer. */
  readonly layer: Digest;
  /** The name of the encoder that compresses its content into the same bytes. */
  readonly encoder: string;
  /** The header of its gzip stream. Empty for other compressions. */
  readonly header: Uint8Array;
  /** The tar-diff from the other image to its content. Undefined if the other image has the content with another compression. */
  readonly diff?: Descriptor | undefined;
}

/** A layer that the other image has too, with its compression or another. */
export interface ReusedLayer {
  readonly digest: Digest;
  readonly diffId: Digest;
}

/** What one image needs beyond another. */
export interface DeltaArtifact {
  /** The manifest of the image that is made. */
  readonly subject: Descriptor;
  /** The manifest of the image that it is made from. */
  readonly source: Digest;
  /** Its config. */
  readonly sourceConfig: Digest;
  readonly recipes: readonly LayerRecipe[];
  readonly reused: readonly ReusedLayer[];
}

const prefix = "io.github.containers.delta";
const names = {
  target: `${prefix}.target`,
  source: `${prefix}.source`,
  sourceConfig: `${prefix}.source-config`,
  reused: `${prefix}.reused`,
  reusedDiffIds: `${prefix}.reused-diff-id`,
  content: `${prefix}.content`,
  to: `${prefix}.to`,
  encoder: "mote.delta.encoder",
  header: "mote.delta.gzip-header",
};
/** The roles of a delta's layers. Readers ignore those that they do not know, such as `image-layer-encoder`. */
const roles = {
  manifest: "image-manifest",
  config: "image-config",
  layer: "image-layer",
  encoder: "image-layer-encoder",
};

/** The empty JSON object, which is the config of a delta. */
export const emptyJson: { readonly bytes: Uint8Array; readonly descriptor: Descriptor } = (() => {
  const bytes = new TextEncoder().encode("{}");
  return { bytes, descriptor: { mediaType: mediaTypes.ociEmpty, digest: digestBytes(bytes), size: bytes.byteLength } };
})();

/**
 * Returns the manifest of a delta, in the format of containers/oci-delta, with the encoder of each layer as an annotation. The same delta has
 * the same bytes.
 * @param config the config of the image that is made, which the delta contains like its manifest
 */
export function formatDelta(delta: DeltaArtifact, config: Descriptor): Uint8Array {
  const { subject, source, sourceConfig, recipes, reused } = delta;
  const plain = ({ mediaType, digest, size }: Descriptor) => ({ mediaType, digest, size });
  const withRole = (descriptor: Descriptor, role: string) => ({
    ...plain(descriptor),
    annotations: { [names.content]: role },
  });
  const body = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    artifactType: deltaArtifactType,
    config: emptyJson.descriptor,
    layers: [
      // Readers go by the role. With the media type of a manifest, some registries accept it only beside that manifest.
      withRole({ ...subject, mediaType: mediaTypes.octetStream }, roles.manifest),
      withRole(config, roles.config),
      ...recipes.map(formatRecipe),
    ],
    subject: plain(subject),
    annotations: {
      [names.target]: subject.digest,
      [names.source]: source,
      [names.sourceConfig]: sourceConfig,
      ...(reused.length === 0
        ? {}
        : {
            [names.reused]: JSON.stringify(reused.map(({ digest }) => digest)),
            [names.reusedDiffIds]: JSON.stringify(reused.map(({ diffId }) => diffId)),
          }),
    },
  };
  return new TextEncoder().encode(JSON.stringify(body));
}

/**
 * Parses the manifest of a delta. Layers without an encoder, as of other programs, are left out. Nothing but its form is checked.
 * @throws MOTE_INVALID_MANIFEST · MOTE_TOO_LARGE
 */
export function parseDelta(bytes: Uint8Array): DeltaArtifact {
  if (bytes.byteLength > maxDeltaManifestBytes) {
    throw new MoteError(
      "MOTE_TOO_LARGE",
      `the manifest of the delta has ${bytes.byteLength} bytes; the limit is ${maxDeltaManifestBytes} bytes`,
      { details: { maxBytes: maxDeltaManifestBytes } },
    );
  }
  const manifest = parseManifest(bytes, mediaTypes.ociManifest);
  const { subject, annotations = {} } = manifest;
  const type = manifest.artifactType ?? configType(manifest);
  if (manifest.kind !== "manifest" || type !== deltaArtifactType || subject === undefined) {
    throw invalid(`it is not a delta of an image: its type is ${type ?? "unknown"}`);
  }
  return {
    subject,
    source: digestIn(annotations, names.source),
    sourceConfig: digestIn(annotations, names.sourceConfig),
    recipes: manifest.layers.flatMap((layer) => parseRecipe(layer) ?? []),
    reused: parseReused(annotations),
  };
}

/**
 * Returns the config of the image that a delta is made from, as a list of referrers states it, which nothing has verified; undefined if the
 * referrer is not a delta, or the list does not say.
 */
export function sourceConfigOf({ annotations }: Descriptor): Digest | undefined {
  const text = annotations?.[names.sourceConfig];
  return isDigest(text) ? text : undefined;
}

function formatRecipe({ layer, encoder, header, diff }: LayerRecipe) {
  const annotations = {
    [names.content]: diff === undefined ? roles.encoder : roles.layer,
    [names.to]: layer,
    [names.encoder]: encoder,
    ...(header.byteLength === 0 ? {} : { [names.header]: Buffer.from(header).toString("base64") }),
  };
  const { mediaType, digest, size } = diff ?? emptyJson.descriptor;
  return { mediaType, digest, size, annotations };
}

function parseRecipe(descriptor: Descriptor): LayerRecipe | undefined {
  const { annotations = {}, mediaType } = descriptor;
  const { [names.content]: role, [names.to]: layer, [names.encoder]: encoder, [names.header]: text = "" } = annotations;
  if (encoder === undefined || encoder.length > maxEncoderNameLength) return undefined;
  if (role !== roles.layer && role !== roles.encoder) return undefined;
  if (role === roles.layer && mediaType !== tarDiffMediaType) return undefined;
  if (!isDigest(layer)) throw invalid(`${names.to} of a layer is not a digest`);
  if (text.length > 2 * maxHeaderBytes) throw invalid(`${names.header} of ${layer} is too long`);
  return {
    layer,
    encoder,
    header: new Uint8Array(Buffer.from(text, "base64")),
    diff: role === roles.layer ? descriptor : undefined,
  };
}

function parseReused(annotations: Readonly<Record<string, string>>): readonly ReusedLayer[] {
  const digests = digestList(annotations[names.reused]);
  const diffIds = digestList(annotations[names.reusedDiffIds]);
  if (digests.length !== diffIds.length) throw invalid("its lists of reused layers differ in length");
  return digests.flatMap((digest, at) => {
    const diffId = diffIds[at];
    return diffId === undefined ? [] : [{ digest, diffId }];
  });
}

function digestList(text = "[]"): readonly Digest[] {
  let list: unknown;
  try {
    list = JSON.parse(text);
  } catch (cause) {
    throw invalid("its list of reused layers is not JSON", cause);
  }
  if (!Array.isArray(list) || !list.every(isDigest))
    throw invalid("its list of reused layers is not a list of digests");
  return list;
}

function digestIn(annotations: Readonly<Record<string, string>>, name: string): Digest {
  const text = annotations[name];
  if (isDigest(text)) return text;
  throw invalid(`the annotation ${name} is not a digest`);
}

function configType(manifest: Manifest): string | undefined {
  return manifest.kind === "manifest" ? manifest.config?.mediaType : undefined;
}

function invalid(reason: string, cause?: unknown): MoteError {
  return new MoteError("MOTE_INVALID_MANIFEST", `the manifest of the delta is not valid: ${reason}`, { cause });
}
