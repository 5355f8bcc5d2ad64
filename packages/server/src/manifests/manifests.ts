import {
  type Descriptor,
  type Digest,
  hasCode,
  isTagName,
  MoteError,
  maxManifestBytes,
  mediaTypes,
  readMote,
  sniffManifestType,
} from "@mote/core";
import { checkDigest } from "../routing/checks.js";
import { identityHeaders, isNotModified, notModified, staleWarning } from "../routing/conditions.js";
import { type ApiResponse, ErrorResponse, type RequestContext } from "../routing/response.js";
import type { RoutedRequest } from "../routing/router.js";
import type { ServedContent } from "../served-content.js";
import type { FoundManifest } from "../upstreams/upstream-requests.js";

/** Responds with a manifest, by tag or by digest. */
export async function manifest(content: ServedContent, routed: RoutedRequest): Promise<ApiResponse> {
  const { request } = routed;
  const { source, leases } = content;
  const found = await findManifest(content, routed);
  if (found === undefined) throw unknownManifest(routed);
  const bytes = found.bytes ?? (await readStored(content, found.digest, request));
  const contentType = bytes && (manifestType(bytes) ?? found.mediaType);
  if (bytes === undefined || contentType === undefined) throw unknownManifest(routed);
  if (!found.isReplaceable) await leases.hold(found.digest, contentType, bytes);
  // A prune that started before the lease may have removed the manifest.
  const isServed = found.bytes !== undefined || (await source.moteExists(found.digest, { signal: request.signal }));
  if (!isServed) throw unknownManifest(routed);
  const { isHit = true } = found;
  if (isNotModified(request, found.digest)) return { ...notModified(found.digest), isHit };
  const headers = {
    "content-type": contentType,
    "content-length": String(bytes.byteLength),
    ...identityHeaders(found.digest),
    ...(found.staleReason === undefined ? {} : { warning: staleWarning }),
  };
  return { status: 200, headers, body: bytes, isHit };
}

async function findManifest(
  { tags, repositories, contents, upstreams }: ServedContent,
  { name, reference, namespace, request }: RoutedRequest,
): Promise<FoundManifest | undefined> {
  const digest = reference.includes(":") ? checkDigest(reference) : undefined;
  if (digest === undefined && !isTagName(reference)) return undefined;
  const { signal } = request;
  const upstream = upstreams?.repository(name, namespace);
  if (upstream !== undefined) return upstreams?.manifest(upstream, reference, digest, request);
  if (digest !== undefined) {
    return (await contents.locate(name, namespace, digest)) === undefined ? undefined : { digest };
  }
  const repository = await repositories.resolve(name, namespace);
  if (repository === undefined) return undefined;
  const tag = `${repository}:${reference}`;
  const descriptor = await tags.resolve(tag, { signal });
  if (descriptor === undefined) return undefined;
  await repositories.recordTag(tag, descriptor.digest);
  return { digest: descriptor.digest, mediaType: safeMediaType(descriptor) };
}

/** Returns undefined if the manifest does not exist or is too large. */
async function readStored(
  { source }: ServedContent,
  digest: Digest,
  { signal }: RequestContext,
): Promise<Uint8Array | undefined> {
  try {
    return await readMote(source, digest, { maxBytes: maxManifestBytes, signal });
  } catch (error) {
    if (hasCode(error, "MOTE_NOT_FOUND", "MOTE_TOO_LARGE")) return undefined;
    throw error;
  }
}

/** Returns the same response for all reasons, so that it reveals nothing about other repositories. */
function unknownManifest({ name, reference }: RoutedRequest): ErrorResponse {
  const message =
    "manifest not found in this repository; if several registries have this repository, select one with ?ns=HOST";
  return new ErrorResponse(404, "MANIFEST_UNKNOWN", message, { detail: { name, reference } });
}

/** By the bytes in memory, which are often those of an earlier request. */
const knownTypes = new WeakMap<Uint8Array, string>();

function manifestType(bytes: Uint8Array): string | undefined {
  try {
    const type = knownTypes.get(bytes) ?? sniffManifestType(bytes);
    knownTypes.set(bytes, type);
    return type;
  } catch (error) {
    if (MoteError.isInstance(error)) return undefined;
    throw error;
  }
}

/** Replaces media types that a browser could execute. */
function safeMediaType({ mediaType }: Descriptor): string {
  return /^application\/[\w.+-]{1,200}$/.test(mediaType) ? mediaType : mediaTypes.octetStream;
}
