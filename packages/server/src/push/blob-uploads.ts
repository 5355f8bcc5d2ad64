import {
  type Digest,
  hasCode,
  isDigestAlgorithm,
  MoteError,
  mediaTypes,
  parseRepositoryName,
  type Upload,
  writeMote,
} from "@mote/core";
import type { AccessCheck } from "../access/access-check.js";
import { checkDigest } from "../routing/checks.js";
import { type ApiResponse, ErrorResponse } from "../routing/response.js";
import type { RoutedRequest } from "../routing/router.js";
import type { ServedContent } from "../served-content.js";
import { declaredBytes } from "./content-range.js";
import type { WriteRequest } from "./local-repository.js";
import type { PushCache } from "./push-cache.js";
import type { PushLeases } from "./push-leases.js";
import { receivedBytes } from "./received-bytes.js";

/** Receives blobs (distribution-spec, "Pushing blobs"). They belong to the repository that they were pushed to, and to no other. */
export function blobUploads(content: ServedContent, cache: PushCache, leases: PushLeases, access: AccessCheck) {
  /** Starts an upload, unless the blob comes with the request or from another repository. */
  async function begin(routed: WriteRequest): Promise<ApiResponse> {
    const { query, request, repository } = routed;
    const mounted = query.get("mount");
    const mount = mounted === null ? undefined : await mountFrom(routed, repository, checkDigest(mounted));
    if (mount !== undefined) return mount;
    const digest = query.get("digest");
    const { length, hasBody } = declaredBytes(request);
    if (digest !== null && (hasBody || length === 0)) {
      return receiveAtOnce(routed, repository, checkDigest(digest), length);
    }
    const algorithm = query.get("digest-algorithm") ?? "sha256";
    if (!isDigestAlgorithm(algorithm)) throw new MoteError("MOTE_UNSUPPORTED_ALGORITHM", "unknown algorithm");
    return progress(202, routed.name, await beginUpload(repository, { algorithm, signal: request.signal }));
  }

  async function append(routed: WriteRequest): Promise<ApiResponse> {
    const { offset, length } = declaredBytes(routed.request);
    return progress(202, routed.name, await appendTo(routed, routed.repository, { offset, length }));
  }

  /** Adds the last bytes, if there are any, and ends the upload. */
  async function finish(routed: WriteRequest): Promise<ApiResponse> {
    const { query, request, reference, name, repository } = routed;
    const digest = checkDigest(query.get("digest") ?? "");
    const { offset, length, hasBody } = declaredBytes(request);
    if (hasBody) await appendTo(routed, repository, { offset, length });
    await cache.uploads.finish(repository, reference, digest);
    return store(name, repository, digest);
  }

  async function status(routed: WriteRequest): Promise<ApiResponse> {
    const { reference, name, request, repository } = routed;
    const upload = await cache.uploads.status(repository, reference, { signal: request.signal });
    if (upload === undefined) throw new MoteError("MOTE_NOT_FOUND", "the upload does not exist");
    return progress(204, name, upload);
  }

  async function cancel(routed: WriteRequest): Promise<ApiResponse> {
    const existed = await cache.uploads.cancel(routed.repository, routed.reference);
    if (!existed) throw new MoteError("MOTE_NOT_FOUND", "the upload does not exist");
    return { status: 204, headers: {} };
  }

  async function beginUpload(
    repository: string,
    options: Parameters<PushCache["uploads"]["begin"]>[1],
  ): Promise<Upload> {
    try {
      return await cache.uploads.begin(repository, options);
    } catch (error) {
      if (!hasCode(error, "MOTE_TOO_LARGE")) throw error;
      const message = "this registry has too many unfinished uploads; finish or cancel some, and try again";
      throw new ErrorResponse(429, "TOOMANYREQUESTS", message, { headers: { "retry-after": "60" } });
    }
  }

  async function appendTo(
    { reference, name, request }: RoutedRequest,
    repository: string,
    { offset, length }: { readonly offset: number | undefined; readonly length: number | undefined },
  ): Promise<Upload> {
    const { signal } = request;
    try {
      return await cache.uploads.append(repository, reference, receivedBytes(request, length), {
        offset,
        signal,
      });
    } catch (error) {
      if (!hasCode(error, "MOTE_OFFSET_MISMATCH")) throw error;
      const upload = await cache.uploads.status(repository, reference);
      throw new ErrorResponse(416, "BLOB_UPLOAD_INVALID", "the bytes do not continue the upload", {
        headers: upload === undefined ? {} : uploadHeaders(name, upload),
      });
    }
  }

  /** Returns undefined if the blob is not there, or the client may not pull it; the client cannot tell which. */
  async function mountFrom(
    { name, query, request }: RoutedRequest,
    repository: string,
    digest: Digest,
  ): Promise<ApiResponse | undefined> {
    const from = query.get("from");
    if (from === null || parseRepositoryName(from) === undefined) return undefined;
    if (!(await access.allows(request, { action: "pull", repository: from }))) return undefined;
    const { upstreams, contents, source } = content;
    const upstream = upstreams?.repository(from, undefined)?.full;
    const isThere =
      upstream === undefined
        ? (await contents.locate(from, undefined, digest)) !== undefined
        : await contents.has(upstream, digest);
    if (!isThere || !(await source.moteExists(digest, { signal: request.signal }))) return undefined;
    return store(name, repository, digest);
  }

  async function receiveAtOnce(
    { name, request }: RoutedRequest,
    repository: string,
    digest: Digest,
    length: number | undefined,
  ): Promise<ApiResponse> {
    const { signal } = request;
    const blob = { digest, mediaType: mediaTypes.octetStream, ...(length === undefined ? {} : { size: length }) };
    await writeMote(cache, blob, receivedBytes(request, length), { signal });
    return store(name, repository, digest);
  }

  /** Gives a stored blob to the repository. Only stored blobs are leased, so that clients cannot make the leases long. */
  async function store(name: string, repository: string, digest: Digest): Promise<ApiResponse> {
    await leases.add(digest);
    await cache.membership.record(repository, digest, { blob: true });
    if (await cache.moteExists(digest)) return created(name, digest);
    throw new ErrorResponse(503, "UNKNOWN", "a prune has just removed the blob; push it again", {
      headers: { "retry-after": "1" },
    });
  }

  return { begin, append, finish, status, cancel };
}

function created(name: string, digest: Digest): ApiResponse {
  const headers = { location: `/v2/${name}/blobs/${digest}`, "docker-content-digest": digest, "content-length": "0" };
  return { status: 201, headers };
}

function progress(status: 202 | 204, name: string, upload: Upload): ApiResponse {
  const headers = uploadHeaders(name, upload);
  return { status, headers: status === 204 ? headers : { ...headers, "content-length": "0" } };
}

/** `Range` cannot express that there are no bytes yet: it is `0-0` then, as in other registries. */
function uploadHeaders(name: string, { id, offset }: Upload) {
  const location = `/v2/${name}/blobs/uploads/${id}`;
  return { location, range: `0-${Math.max(0, offset - 1)}`, "docker-upload-uuid": id };
}
