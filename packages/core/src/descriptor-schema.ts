import * as z from "zod/mini";
import type { Descriptor, Platform } from "./descriptor.js";
import { type Digest, isDigest } from "./digest.js";
import { isRecord } from "./json-document.js";
import { mediaTypes } from "./media-type.js";

/** image-spec, descriptor.md. Only the fields that identify content are checked; the others may have any type. */
export const descriptorSchema = z.looseObject({
  digest: z.custom<Descriptor["digest"]>(isDigest, "not a digest of a supported algorithm"),
  size: z.int().check(z.nonnegative()),
});

const descriptors = z.optional(z.nullable(z.array(descriptorSchema)));

/** image-spec, manifest.md; Docker's "Image Manifest Version 2, Schema 2"; the artifact manifest of image-spec 1.1-rc, with `blobs`. */
export const imageManifestSchema = z.looseObject({
  config: z.optional(z.nullable(descriptorSchema)),
  layers: descriptors,
  blobs: descriptors,
});

/** image-spec, image-index.md; also Docker's manifest list. */
export const imageIndexSchema = z.looseObject({ manifests: descriptors });

/** Removes known fields that are null, as Go writes them, or of a wrong type. Unknown fields are kept. */
export function normalizeDescriptor(from: z.infer<typeof descriptorSchema>): Descriptor {
  const { mediaType, urls, annotations, data, artifactType, platform, digest, size, ...others } = from;
  const parsed = platformOf(platform);
  return {
    ...others,
    mediaType: typeof mediaType === "string" && mediaType !== "" ? mediaType : mediaTypes.octetStream,
    digest,
    size,
    ...(Array.isArray(urls) ? { urls: urls.filter(isString) } : {}),
    ...(isRecord(annotations) ? { annotations: textsOf(annotations) } : {}),
    ...(typeof data === "string" ? { data } : {}),
    ...(typeof artifactType === "string" ? { artifactType } : {}),
    ...(parsed === undefined ? {} : { platform: parsed }),
  };
}

/** Parses a subject. An invalid size becomes 0, because only the digest is needed. */
export function parseSubject(from: Record<string, unknown>, digest: Digest): Descriptor {
  const { size } = from;
  const isSize = typeof size === "number" && Number.isSafeInteger(size) && size >= 0;
  return normalizeDescriptor({ ...from, digest, size: isSize ? size : 0 });
}

/** Returns the entries whose values are strings. */
export function textsOf(from: Record<string, unknown>): Record<string, string> {
  return Object.fromEntries(Object.entries(from).filter((entry): entry is [string, string] => isString(entry[1])));
}

/** Returns undefined if a field is missing or invalid, so that the platform is read from the config instead. */
function platformOf(platform: unknown): Platform | undefined {
  if (!isRecord(platform)) return undefined;
  const { os, architecture, variant, "os.version": version, "os.features": features, ...others } = platform;
  if (!isString(os) || !isString(architecture)) return undefined;
  const named = typeof variant === "number" ? String(variant) : variant;
  const isValid = [named, version].every((part) => part == null || isString(part));
  if (!isValid || !(features == null || Array.isArray(features))) return undefined;
  return {
    ...others,
    architecture,
    os,
    ...(isString(version) ? { "os.version": version } : {}),
    ...(Array.isArray(features) ? { "os.features": features.filter(isString) } : {}),
    ...(isString(named) ? { variant: named } : {}),
  };
}

function isString(value: unknown): value is string {
  return typeof value === "string";
}
