import type { Descriptor, Platform } from "./descriptor.js";
import { type Digest, isDigest } from "./digest.js";
import { MoteError } from "./error.js";
import { isRecord } from "./json-document.js";
import { mediaTypes } from "./media-type.js";

/**
 * Checks the fields of a descriptor that identify content, and normalizes the others (image-spec, descriptor.md).
 * @param field its name in the document `what`, for messages; empty if it is the document
 * @throws MOTE_INVALID_MANIFEST
 */
export function checkDescriptor(from: unknown, what: string, field = ""): Descriptor {
  const inner = field === "" ? "" : `${field}.`;
  if (!isRecord(from)) throw invalidField(what, field, "not an object");
  const { digest, size } = from;
  if (!isDigest(digest)) throw invalidField(what, `${inner}digest`, "not a digest of a supported algorithm");
  if (!isSize(size)) throw invalidField(what, `${inner}size`, "not a number of bytes");
  return normalizeDescriptor({ ...from, digest, size });
}

/** Checks a list of descriptors, which may be missing. @throws MOTE_INVALID_MANIFEST */
export function checkDescriptors(from: unknown, what: string, field: string): readonly Descriptor[] | undefined {
  if (from == null) return undefined;
  if (!Array.isArray(from)) throw invalidField(what, field, "not a list");
  return from.map((each: unknown, at) => checkDescriptor(each, what, `${field}.${at}`));
}

export function invalidField(what: string, field: string, reason: string): MoteError {
  const name = field || "the top level";
  return new MoteError("MOTE_INVALID_MANIFEST", `the ${what} is not valid at ${name}: ${reason}`, {
    details: { field: name },
  });
}

/** Removes known fields that are null, as Go writes them, or of a wrong type. Unknown fields are kept. */
function normalizeDescriptor(from: Record<string, unknown> & Pick<Descriptor, "digest" | "size">): Descriptor {
  // JSON may have a field of this name; copied by an assignment, it would be the prototype.
  const { __proto__: _, mediaType, urls, annotations, data, artifactType, platform, digest, size, ...others } = from;
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
  return normalizeDescriptor({ ...from, digest, size: isSize(size) ? size : 0 });
}

function isSize(size: unknown): size is number {
  return typeof size === "number" && Number.isSafeInteger(size) && size >= 0;
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
