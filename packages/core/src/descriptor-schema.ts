import * as z from "zod/mini";
import type { Descriptor, Platform } from "./descriptor.js";
import { type Digest, isDigest } from "./digest.js";
import { mediaTypes } from "./media-type.js";

/** image-spec, descriptor.md: what identifies content. All other fields describe it, and may be of any type. */
export const descriptorSchema = z.looseObject({
  digest: z.custom<Descriptor["digest"]>(isDigest, "not a digest of a supported algorithm"),
  size: z.int().check(z.nonnegative()),
});

const descriptors = z.optional(z.nullable(z.array(descriptorSchema)));

/**
 * image-spec, manifest.md; also Docker's "Image Manifest Version 2, Schema 2", whose shape is the same, and the artifact manifest of
 * image-spec 1.1-rc, which has `blobs`.
 */
export const imageManifestSchema = z.looseObject({
  config: z.optional(z.nullable(descriptorSchema)),
  layers: descriptors,
  blobs: descriptors,
});

/** image-spec, image-index.md; also Docker's manifest list. */
export const imageIndexSchema = z.looseObject({ manifests: descriptors });

/** Go's encoders write null for what is empty, and others write odd types; here it is absent. Fields that are not known stay. */
export function plainDescriptor(from: z.infer<typeof descriptorSchema>): Descriptor {
  const { mediaType, urls, annotations, data, artifactType, platform, digest, size, ...others } = from;
  const read = platformOf(platform);
  return {
    ...others,
    mediaType: typeof mediaType === "string" && mediaType !== "" ? mediaType : mediaTypes.octetStream,
    digest,
    size,
    ...(Array.isArray(urls) ? { urls: urls.filter(isText) } : {}),
    ...(isRecord(annotations) ? { annotations: textsOf(annotations) } : {}),
    ...(typeof data === "string" ? { data } : {}),
    ...(typeof artifactType === "string" ? { artifactType } : {}),
    ...(read === undefined ? {} : { platform: read }),
  };
}

/** What a manifest refers to is known by its digest alone: its size is needed by nobody who moves the manifest. */
export function readSubject(from: Record<string, unknown>, digest: Digest): Descriptor {
  const { size } = from;
  const isSize = typeof size === "number" && Number.isSafeInteger(size) && size >= 0;
  return plainDescriptor({ ...from, digest, size: isSize ? size : 0 });
}

/** The entries of a record whose values are text. */
export function textsOf(from: Record<string, unknown>): Record<string, string> {
  return Object.fromEntries(Object.entries(from).filter((entry): entry is [string, string] => isText(entry[1])));
}

/**
 * Undefined where it does not tell the platform for sure: then the configuration does. A part that is odd could have told another variant or
 * version, so the others are not believed without it.
 */
function platformOf(platform: unknown): Platform | undefined {
  if (!isRecord(platform)) return undefined;
  const { os, architecture, variant, "os.version": version, "os.features": features, ...others } = platform;
  if (!isText(os) || !isText(architecture)) return undefined;
  const named = typeof variant === "number" ? String(variant) : variant;
  const isPlain = [named, version].every((part) => part == null || isText(part));
  if (!isPlain || !(features == null || Array.isArray(features))) return undefined;
  return {
    ...others,
    architecture,
    os,
    ...(isText(version) ? { "os.version": version } : {}),
    ...(Array.isArray(features) ? { "os.features": features.filter(isText) } : {}),
    ...(isText(named) ? { variant: named } : {}),
  };
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}
