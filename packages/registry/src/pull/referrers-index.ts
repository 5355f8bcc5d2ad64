import {
  type CallOptions,
  type Descriptor,
  type Digest,
  digestAlgorithm,
  digestBytes,
  type ImageIndex,
  isManifestType,
  maxManifestBytes,
  mediaTypes,
  parseJsonRecord,
  parseManifest,
  referrersTag,
} from "@mote/core";
import { collectDocument } from "../http/content-coding.js";
import type { RegistryResponse } from "../registry-request.js";
import { protocolError } from "../reports/protocol-error.js";
import { namingSubject, subjectName } from "../reports/subject.js";
import { bareType, type RepositoryApi, type RepositoryRequest } from "../repository-api.js";

/**
 * Statuses besides 404 that registries send for a missing API or tag: path or tag unknown (400, 405, 501), `Accept` not supported (406),
 * or forbidden (403). Not 401, as a login may help, nor temporary errors (408, 429, 5xx).
 */
export const absentStatuses: ReadonlySet<number> = new Set([400, 403, 404, 405, 406, 410, 501]);

export interface FoundIndex {
  readonly index: ImageIndex;
  readonly bytes: Uint8Array;
  readonly response: RegistryResponse;
}

/** The result if there is no index: nothing, or another response. */
export interface NoIndex {
  readonly status: number;
  /** The media type of a 200 response, and the digest that the registry reports. */
  readonly mediaType?: string | undefined;
  readonly digest?: string | undefined;
}

/** Reads an index; the registry may send something else. @throws MOTE_TOO_LARGE · MOTE_INVALID_MANIFEST for an entry that is not valid */
export function readIndex(
  api: RepositoryApi,
  request: Pick<RepositoryRequest, "path" | "what" | "reference" | "actions" | "digest"> & CallOptions,
): Promise<FoundIndex | NoIndex> {
  const accepts = (status: number) => status === 200 || absentStatuses.has(status);
  const headers = { accept: mediaTypes.ociIndex };
  return api.send({ method: "GET", headers, accepts, ...request }, async (response) => {
    const { status } = response;
    const mediaType = bareType(response.header("content-type"));
    // Some registries send a generic JSON type, and some a web page with 200.
    if (status !== 200 || (mediaType !== undefined && mediaType !== mediaTypes.ociIndex && !isGeneric(mediaType))) {
      response.discard();
      return { status, mediaType, digest: response.header("docker-content-digest") };
    }
    return namingSubject(api.subject(request), foundIn(response, request.what, mediaType));
  });
}

async function foundIn(
  response: RegistryResponse,
  what: string,
  mediaType: string | undefined,
): Promise<FoundIndex | NoIndex> {
  const bytes = await collectDocument(response, { maxBytes: maxManifestBytes, what, digests: [] });
  const index = parseIndex(bytes, mediaType);
  return index === undefined ? { status: response.status, mediaType } : { index, bytes, response };
}

export function isIndex(found: FoundIndex | NoIndex): found is FoundIndex {
  return "index" in found;
}

/** Returns whether these bytes are the manifest itself, which some registries return for its digest's tag. */
export function isManifestItself(bytes: Uint8Array, digest: Digest): boolean {
  return digestBytes(bytes, digestAlgorithm(digest)) === digest;
}

function isGeneric(mediaType: string): boolean {
  return mediaType === "application/json" || mediaType === "text/plain" || mediaType === "application/octet-stream";
}

/** Returns undefined if it is not an index: one labelled as an index must be valid if it has any entries. */
function parseIndex(bytes: Uint8Array, mediaType: string | undefined): ImageIndex | undefined {
  const body = parseJsonRecord(bytes);
  if (body === undefined || !("manifests" in body)) return undefined;
  const isLabelled = mediaType === mediaTypes.ociIndex;
  const isIndexOfItself = "mediaType" in body ? body.mediaType === mediaTypes.ociIndex : "schemaVersion" in body;
  if (!isLabelled && !isIndexOfItself) return undefined;
  const manifest = parseManifest(bytes, mediaTypes.ociIndex);
  return manifest.kind === "index" ? manifest : undefined;
}

/** Warns that the result is empty because the request was forbidden. */
export function warnOfForbidden(api: RepositoryApi, what: string): void {
  api.client.logger.warn(`${subjectName(api.subject())} forbids listing ${what}; continuing without them`);
}

/**
 * Reads the index under the tag `sha256-<hex>` (distribution-spec, "Referrers Tag Schema"). Undefined if there is none, or the tag means
 * something else, as on GitLab. 403 counts as absent, with a warning, as on some object stores.
 */
export async function readReferrersTag(
  api: RepositoryApi,
  subject: Digest,
  options: CallOptions & { readonly actions: "pull" | "pull,push" },
): Promise<readonly Descriptor[] | undefined> {
  const tag = referrersTag(subject);
  const found = await readIndex(api, { path: `manifests/${tag}`, what: `tag ${tag}`, reference: tag, ...options });
  if (isIndex(found)) return isManifestItself(found.bytes, subject) ? undefined : found.index.manifests;
  if (found.status === 403) warnOfForbidden(api, `the referrers of ${subject}`);
  const isOther = found.mediaType !== undefined && isManifestType(found.mediaType) && found.digest !== subject;
  // The specification says to keep such a tag, and to warn.
  if (isOther && options.actions === "pull,push") {
    throw protocolError(
      api.subject({ reference: tag }),
      `the tag ${tag} is not an index of referrers, so nothing can be added to it; remove the tag, or leave out the referrers`,
    );
  }
  return undefined;
}
