import * as z from "zod/mini";
import type { Descriptor } from "./descriptor.js";
import {
  descriptorSchema,
  imageIndexSchema,
  imageManifestSchema,
  normalizeDescriptor,
  parseSubject,
  textsOf,
} from "./descriptor-schema.js";
import { isDigest } from "./digest.js";
import { MoteError } from "./error.js";
import { isRecord, parseJsonDocument } from "./json-document.js";
import { isIndexType, knownManifestType, mediaTypes } from "./media-type.js";

/** The largest manifest that is read, in bytes. Registries must accept at least 4 MiB (distribution-spec). */
export const maxManifestBytes = 4 * 1024 * 1024;

/** image-spec, image-layout.md, "oci-layout file". */
export const imageLayoutSchema = z.looseObject({ imageLayoutVersion: z.string() });

export interface ImageManifest {
  readonly kind: "manifest";
  readonly mediaType: string;
  readonly artifactType?: string | undefined;
  /** Undefined if there is none, as in an artifact manifest. */
  readonly config?: Descriptor | undefined;
  /** The layers, or the blobs of an artifact manifest. */
  readonly layers: readonly Descriptor[];
  readonly subject?: Descriptor | undefined;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
}

export interface ImageIndex {
  readonly kind: "index";
  readonly mediaType: string;
  readonly artifactType?: string | undefined;
  readonly manifests: readonly Descriptor[];
  readonly subject?: Descriptor | undefined;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
}

export type Manifest = ImageManifest | ImageIndex;

/**
 * Parses a manifest or index. Digests and sizes must be valid; descriptive fields of a wrong type are ignored. `mediaType` is used only if the
 * body does not state its media type.
 * @throws MOTE_INVALID_MANIFEST with the invalid field, or for an ambiguous body · MOTE_TOO_LARGE
 */
export function parseManifest(bytes: Uint8Array, mediaType?: string): Manifest {
  const body = parseBody(bytes);
  const type = manifestTypeOf(body, mediaType);
  const { artifactType, annotations, subject } = body;
  const common = {
    mediaType: type,
    ...(typeof artifactType === "string" ? { artifactType } : {}),
    ...(isRecord(subject) && isDigest(subject.digest) ? { subject: parseSubject(subject, subject.digest) } : {}),
    ...(isRecord(annotations) ? { annotations: textsOf(annotations) } : {}),
  };
  if (isIndexType(type)) {
    const { manifests } = check(imageIndexSchema, body, "index");
    return { ...common, kind: "index", manifests: (manifests ?? []).map(normalizeDescriptor) };
  }
  const { config, layers, blobs } = check(imageManifestSchema, body, "manifest");
  const content = type === mediaTypes.ociArtifact ? (blobs ?? layers) : layers;
  return {
    ...common,
    kind: "manifest",
    ...(config == null ? {} : { config: normalizeDescriptor(config) }),
    layers: (content ?? []).map(normalizeDescriptor),
  };
}

/**
 * Returns the media type of a manifest, from its `mediaType`, the given one, or its other fields, without checking the rest.
 * @throws MOTE_INVALID_MANIFEST · MOTE_TOO_LARGE
 */
export function sniffManifestType(bytes: Uint8Array, mediaType?: string): string {
  return manifestTypeOf(parseBody(bytes), mediaType);
}

/** Parses a descriptor. @throws MOTE_INVALID_MANIFEST */
export function parseDescriptor(json: unknown): Descriptor {
  return normalizeDescriptor(check(descriptorSchema, json, "descriptor"));
}

/** Returns the config and layers of a manifest, or the manifests of an index, in their order; not the subject. */
export function childDescriptors(manifest: Manifest): readonly Descriptor[] {
  if (manifest.kind === "index") return manifest.manifests;
  return manifest.config === undefined ? manifest.layers : [manifest.config, ...manifest.layers];
}

/** Checks that `oci-layout` has version 1.x (image-spec, image-layout.md). @throws MOTE_INVALID_MANIFEST · MOTE_UNSUPPORTED_FORMAT */
export function checkImageLayout(bytes: Uint8Array, location: string): void {
  const what = `oci-layout of ${location}`;
  const { imageLayoutVersion } = check(imageLayoutSchema, parseJson(bytes, what), what);
  if (!/^1(?:\.|$)/.test(imageLayoutVersion)) {
    throw new MoteError(
      "MOTE_UNSUPPORTED_FORMAT",
      `${location} is an image layout of version ${imageLayoutVersion}; this release reads version 1`,
      { details: { place: location, version: imageLayoutVersion } },
    );
  }
}

/** Parses the `index.json` of a layout. @throws MOTE_INVALID_MANIFEST */
export function parseLayoutIndex(bytes: Uint8Array): readonly Descriptor[] {
  const { manifests } = check(imageIndexSchema, parseJson(bytes, "index.json"), "index.json");
  return (manifests ?? []).map(normalizeDescriptor);
}

function parseBody(bytes: Uint8Array): Record<string, unknown> {
  if (bytes.byteLength > maxManifestBytes) {
    throw new MoteError(
      "MOTE_TOO_LARGE",
      `the manifest has ${bytes.byteLength} bytes; the limit is ${maxManifestBytes} bytes`,
    );
  }
  const body = parseJson(bytes, "manifest");
  if (isRecord(body)) return body;
  throw invalid("the manifest is not a JSON object", {});
}

/** Returns the media type in the body or else the given one, if the fields agree with it; otherwise the type that the fields imply. */
function manifestTypeOf(body: Record<string, unknown>, given: string | undefined): string {
  const has = (name: string) => Object.hasOwn(body, name) && body[name] != null;
  const [listsManifests, listsBlobs] = [has("manifests"), ["config", "layers", "blobs"].some(has)];
  // A body must not be readable in two ways (image-spec, manifest.md and image-index.md on `mediaType`).
  if (listsManifests && listsBlobs) {
    throw invalid("the body has both layers and manifests, so it is neither an image manifest nor an index", {});
  }
  if (!listsManifests && !listsBlobs && has("fsLayers")) {
    throw invalid(
      "Docker image manifests of schema version 1 are not supported; build or push the image again with a current client",
      { schemaVersion: 1 },
    );
  }
  const fits = (type: string) => (isIndexType(type) ? !listsBlobs : !listsManifests);
  const own = typeof body.mediaType === "string" ? knownManifestType(body.mediaType) : undefined;
  if (own !== undefined && fits(own)) return own;
  const labelled = given === undefined ? undefined : knownManifestType(given);
  if (
    labelled !== undefined &&
    fits(labelled) &&
    (listsManifests || listsBlobs || Object.hasOwn(body, "schemaVersion"))
  )
    return labelled;
  if (Object.hasOwn(body, "manifests") && !listsBlobs) return mediaTypes.ociIndex;
  if (has("blobs") && !has("config") && !has("layers")) return mediaTypes.ociArtifact;
  if (Object.hasOwn(body, "layers") || Object.hasOwn(body, "config")) return mediaTypes.ociManifest;
  throw invalid("the body is neither an image manifest nor an index of schema version 2", {});
}

function parseJson(bytes: Uint8Array, what: string): unknown {
  try {
    return parseJsonDocument(bytes, { invalidUtf8: "replace" });
  } catch (cause) {
    throw invalid(`the ${what} is not valid JSON`, {}, cause);
  }
}

function check<Schema extends z.ZodMiniType>(schema: Schema, body: unknown, what: string): z.infer<Schema> {
  const result = z.safeParse(schema, body);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const field = issue?.path.join(".") || "the top level";
  throw invalid(`the ${what} is not valid at ${field}: ${issue?.message}`, {
    field,
  });
}

function invalid(message: string, details: object, cause?: unknown): MoteError {
  return new MoteError("MOTE_INVALID_MANIFEST", message, { details, cause });
}
