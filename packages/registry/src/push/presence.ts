import {
  type CallOptions,
  type Descriptor,
  type Digest,
  digestAlgorithm,
  digestBytes,
  isDigest,
  MoteError,
  manifestTypes,
  mediaTypes,
} from "@mote/core";
import { responseError } from "../error-response.js";
import { isTransientStatus } from "../http/retry.js";
import { openBlob } from "../pull/blob-reader.js";
import type { RegistryResponse } from "../registry-request.js";
import {
  bareType,
  type RepositoryApi,
  type RepositoryRequest,
  type RepositoryRequestOptions,
} from "../repository-api.js";

/**
 * Returns whether the repository has the blob; undefined if the registry does not tell. If HEAD fails after a redirect, a GET of
 * the first byte decides. @throws MOTE_UNAUTHORIZED · MOTE_RATE_LIMITED · MOTE_UNREACHABLE · MOTE_TIMEOUT
 */
export async function findBlob(
  api: RepositoryApi,
  { digest, size }: Pick<Descriptor, "digest" | "size">,
  options: RepositoryRequestOptions,
): Promise<boolean | undefined> {
  const found = await head(api, `blobs/${digest}`, { ...options, what: `blob ${digest}`, digest });
  if (found?.redirectedTo !== undefined && found.status !== 200)
    return (await opens(api, digest, size, options)) || undefined;
  if (found?.status === 404) return false;
  if (found?.status !== 200 || bareType(found.header("content-type")) === "text/html") return undefined;
  const length = found.header("content-length");
  return length === undefined || Number(length) === size ? true : undefined;
}

/**
 * Returns the digest of a tag's or digest's manifest, by the algorithm of `expected`. Undefined if there is none, or the registry
 * does not tell. @throws MOTE_UNAUTHORIZED · MOTE_RATE_LIMITED · MOTE_UNREACHABLE · MOTE_TIMEOUT
 */
export async function findManifest(
  api: RepositoryApi,
  reference: string,
  expected: Digest,
  options: RepositoryRequestOptions,
): Promise<Digest | undefined> {
  const what = reference === expected ? `manifest ${expected}` : `tag ${reference}`;
  const headers = { accept: manifestTypes.join(", ") };
  const found = await head(api, `manifests/${reference}`, { ...options, what, headers, digest: expected, reference });
  if (found === undefined) return undefined;
  const said = found.header("docker-content-digest");
  if (found.status === 200 && isDigest(said) && digestAlgorithm(said) === digestAlgorithm(expected)) return said;
  const isUnclear = unclearStatuses.has(found.status) || found.redirectedTo !== undefined;
  return isUnclear ? hashManifest(api, reference, expected, options) : undefined;
}

/** Returns the digest of the manifest's bytes, by the algorithm of `expected`; undefined if they cannot be read. */
export async function hashManifest(
  api: RepositoryApi,
  reference: string,
  expected: Digest,
  options: RepositoryRequestOptions,
): Promise<Digest | undefined> {
  const what = reference === expected ? `manifest ${expected}` : `tag ${reference}`;
  const { bytes } =
    (await unlessFailed(api.getManifest(reference, { ...options, what, digest: expected }), notReadable)) ?? {};
  return bytes && digestBytes(bytes, digestAlgorithm(expected));
}

async function opens(
  api: RepositoryApi,
  digest: Digest,
  size: number,
  { signal, onEvent }: CallOptions,
): Promise<boolean> {
  const firstByte = { digest, mediaType: mediaTypes.octetStream, start: 0, end: 1, verify: false, damage: false };
  const reader = await unlessFailed(openBlob(api, { ...firstByte, signal, onEvent }), notReadable);
  await reader?.close();
  return reader?.info.size === size;
}

/** Returns undefined after a server error. */
function head(
  api: RepositoryApi,
  path: string,
  request: Omit<RepositoryRequest, "method" | "path" | "body" | "accepts">,
): Promise<RegistryResponse | undefined> {
  const accepts = (status: number) => !isTransientStatus(status);
  const sending = api.send({ ...request, method: "HEAD", path, accepts }, async (response) => {
    const { status, redirectedTo } = response;
    if (status === 401 && redirectedTo === undefined) {
      throw await responseError(response, api.subject(request), { what: request.what, writes: false });
    }
    response.discard();
    return response;
  });
  return unlessFailed(sending, serverErrors);
}

async function unlessFailed<T>(work: Promise<T>, codes: ReadonlySet<string>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (MoteError.isInstance(error) && codes.has(error.code)) return undefined;
    throw error;
  }
}

/** For a HEAD response without the digest, or a registry without HEAD. */
const unclearStatuses: ReadonlySet<number> = new Set([200, 400, 405, 501]);
const serverErrors: ReadonlySet<string> = new Set(["MOTE_REGISTRY"]);
const notReadable: ReadonlySet<string> = new Set([
  "MOTE_REGISTRY",
  "MOTE_NOT_FOUND",
  "MOTE_FORBIDDEN",
  "MOTE_TOO_LARGE",
  "MOTE_SIZE_MISMATCH",
  "MOTE_DIGEST_MISMATCH",
]);
