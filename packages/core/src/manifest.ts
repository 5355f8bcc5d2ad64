import * as z from "zod/mini";
import type { Descriptor } from "./descriptor.js";
import { isDigest } from "./digest.js";
import { MoteError } from "./error.js";
import { parseJsonDocument } from "./json-document.js";
import { isIndexType, isManifestType, mediaTypes } from "./media-type.js";

/** Bytes. The distribution specification asks registries to take manifests of 4 MiB at least; more is not read here. */
export const maxManifestBytes = 4 * 1024 * 1024;

const annotations = z.record(z.string(), z.string());
const byteCount = z.int().check(z.nonnegative());

const platformSchema = z.looseObject({
  architecture: z.string(),
  os: z.string(),
  "os.version": z.optional(z.string()),
  "os.features": z.optional(z.array(z.string())),
  variant: z.optional(z.string()),
});

/** image-spec, descriptor.md. Unknown fields are kept. */
export const descriptorSchema = z.looseObject({
  mediaType: z.string().check(z.minLength(1)),
  digest: z.custom<Descriptor["digest"]>(isDigest, "not a digest of a supported algorithm"),
  size: byteCount,
  urls: z.optional(z.nullable(z.array(z.string()))),
  annotations: z.optional(z.nullable(annotations)),
  data: z.optional(z.string()),
  artifactType: z.optional(z.string()),
  // It only describes: one of another shape is no reason to refuse the index.
  platform: z.catch(z.optional(z.nullable(platformSchema)), undefined),
});

/** image-spec, manifest.md; also Docker's "Image Manifest Version 2, Schema 2", whose shape is the same. */
export const imageManifestSchema = z.looseObject({
  schemaVersion: z.literal(2),
  mediaType: z.optional(z.string()),
  artifactType: z.optional(z.string()),
  config: descriptorSchema,
  layers: z.array(descriptorSchema),
  subject: z.optional(z.nullable(descriptorSchema)),
  annotations: z.optional(z.nullable(annotations)),
});

/** image-spec, image-index.md; also Docker's manifest list. */
export const imageIndexSchema = z.looseObject({
  schemaVersion: z.literal(2),
  mediaType: z.optional(z.string()),
  artifactType: z.optional(z.string()),
  manifests: z.nullable(z.array(descriptorSchema)),
  subject: z.optional(z.nullable(descriptorSchema)),
  annotations: z.optional(z.nullable(annotations)),
});

/** image-spec, image-layout.md, "oci-layout file". */
export const imageLayoutSchema = z.looseObject({ imageLayoutVersion: z.string() });

export interface ImageManifest {
  readonly kind: "manifest";
  readonly mediaType: string;
  readonly artifactType?: string | undefined;
  readonly config: Descriptor;
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
 * Reads a manifest or index of the given media type. What the body says of its own type must agree, and it must not be both
 * (image-spec, manifest.md and image-index.md on `mediaType`; the check stops one body from being read in two ways).
 * @throws MOTE_INVALID_MANIFEST with the field at fault
 */
export function parseManifest(bytes: Uint8Array, mediaType: string): Manifest {
  if (!isManifestType(mediaType)) {
    throw invalid(`media type "${mediaType}" is of no manifest that mote knows`, { mediaType });
  }
  const body = parseJson(bytes, "manifest");
  const said = isRecord(body) ? body.mediaType : undefined;
  if (typeof said === "string" && said !== "" && said !== mediaType) {
    throw invalid(`the manifest was given as ${mediaType}, and says of itself that it is ${said}`, { mediaType, said });
  }
  if (isRecord(body) && "manifests" in body && ("layers" in body || "config" in body)) {
    throw invalid("the body has both layers and manifests, so it is neither an image manifest nor an index", {});
  }
  if (isIndexType(mediaType)) {
    const { manifests, ...rest } = check(imageIndexSchema, body, "index");
    return { ...common(rest, mediaType), kind: "index", manifests: (manifests ?? []).map(plainDescriptor) };
  }
  const { config, layers, ...rest } = check(imageManifestSchema, body, "manifest");
  return {
    ...common(rest, mediaType),
    kind: "manifest",
    config: plainDescriptor(config),
    layers: layers.map(plainDescriptor),
  };
}

/** The media type that a manifest's body names; guessed from its shape where it names none. @throws MOTE_INVALID_MANIFEST */
export function sniffManifestType(bytes: Uint8Array): string {
  const body = parseJson(bytes, "manifest");
  if (isRecord(body)) {
    if (typeof body.mediaType === "string" && isManifestType(body.mediaType)) return body.mediaType;
    if (Array.isArray(body.manifests)) return mediaTypes.ociIndex;
    if (isRecord(body.config) && Array.isArray(body.layers)) return mediaTypes.ociManifest;
  }
  throw invalid("the body is neither an image manifest nor an index of schema version 2", {});
}

/** A descriptor out of JSON. @throws MOTE_INVALID_MANIFEST */
export function parseDescriptor(json: unknown): Descriptor {
  return plainDescriptor(check(descriptorSchema, json, "descriptor"));
}

/** The descriptors that a manifest refers to, in its order: config and layers, or manifests. The subject is not below it. */
export function childDescriptors(manifest: Manifest): readonly Descriptor[] {
  return manifest.kind === "index" ? manifest.manifests : [manifest.config, ...manifest.layers];
}

/** image-spec, image-layout.md. @throws MOTE_INVALID_MANIFEST · MOTE_UNSUPPORTED_FORMAT for a version that is not 1.x */
export function checkImageLayout(bytes: Uint8Array, place: string): void {
  const { imageLayoutVersion } = check(imageLayoutSchema, parseJson(bytes, "oci-layout"), "oci-layout");
  if (!/^1\./.test(imageLayoutVersion)) {
    throw new MoteError(
      "MOTE_UNSUPPORTED_FORMAT",
      `${place} is an image layout of version ${imageLayoutVersion}; this release reads version 1`,
      { details: { place, version: imageLayoutVersion } },
    );
  }
}

/** The entries of a layout's `index.json`. @throws MOTE_INVALID_MANIFEST */
export function parseLayoutIndex(bytes: Uint8Array): readonly Descriptor[] {
  const { manifests } = check(imageIndexSchema, parseJson(bytes, "index.json"), "index.json");
  return (manifests ?? []).map(plainDescriptor);
}

function parseJson(bytes: Uint8Array, what: string): unknown {
  if (bytes.byteLength > maxManifestBytes && what === "manifest") {
    throw new MoteError("MOTE_TOO_LARGE", `a manifest of ${bytes.byteLength} bytes; the bound is ${maxManifestBytes}`);
  }
  try {
    return parseJsonDocument(bytes);
  } catch (cause) {
    throw invalid(`the ${what} is no JSON`, {}, cause);
  }
}

function check<Schema extends z.ZodMiniType>(schema: Schema, body: unknown, what: string): z.infer<Schema> {
  const result = z.safeParse(schema, body);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const field = issue?.path.join(".") || "the top level";
  throw invalid(`the ${what} is not of the shape that its specification asks for: at ${field}: ${issue?.message}`, {
    field,
  });
}

function common(
  fields: {
    artifactType?: string | undefined;
    subject?: unknown;
    annotations?: Record<string, string> | null | undefined;
  },
  mediaType: string,
) {
  return {
    mediaType,
    ...(fields.artifactType === undefined ? {} : { artifactType: fields.artifactType }),
    ...(fields.subject == null ? {} : { subject: plainDescriptor(fields.subject as z.infer<typeof descriptorSchema>) }),
    ...(fields.annotations == null ? {} : { annotations: fields.annotations }),
  };
}

/** Go's encoders write null for what is empty; here it is absent. */
function plainDescriptor(from: z.infer<typeof descriptorSchema>): Descriptor {
  const { urls, annotations, platform, ...rest } = from;
  return {
    ...rest,
    ...(urls == null ? {} : { urls }),
    ...(annotations == null ? {} : { annotations }),
    ...(platform == null ? {} : { platform }),
  };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function invalid(message: string, details: object, cause?: unknown): MoteError {
  return new MoteError("MOTE_INVALID_MANIFEST", message, { details, cause });
}
