import { type Digest, isNotFound, mediaTypes } from "@mote/core";
import { checkDigest } from "../routing/checks.js";
import { allowsRange, identityHeaders, isNotModified, notModified } from "../routing/conditions.js";
import { type ApiResponse, ErrorResponse } from "../routing/response.js";
import type { RoutedRequest } from "../routing/router.js";
import type { ServedContent } from "../served-content.js";
import type { FoundBlob } from "../upstreams/upstream-requests.js";
import { parseRange } from "./byte-range.js";
import { completeChunks } from "./complete-chunks.js";

/** Responds with a blob, or a range of it. */
export async function blob(content: ServedContent, routed: RoutedRequest): Promise<ApiResponse> {
  const { name, reference, request } = routed;
  const digest = checkDigest(reference);
  const found = await findBlob(content, routed, digest);
  if (found === undefined) throw unknownBlob(name, digest);
  const { size } = found;
  const headers = { "content-type": mediaTypes.octetStream, "accept-ranges": "bytes", ...identityHeaders(digest) };
  // Ollama reads the rest of a blob from the URL in this header, even if the response does not redirect.
  const location = routed.namespace === undefined ? { location: `./${digest}` } : {};
  const isHit = found.isHit ?? (() => true);
  if (isNotModified(request, digest)) return { ...notModified(digest), isHit: isHit() };
  if (request.method === "HEAD") {
    return { status: 200, headers: { ...headers, ...location, "content-length": String(size) }, isHit: isHit() };
  }
  const range = allowsRange(request, digest) ? parseRange(request.header("range"), size) : undefined;
  if (range === "unsatisfiable") {
    throw new ErrorResponse(416, "UNSUPPORTED", `the blob has ${size} bytes`, {
      headers: { "content-range": `bytes */${size}` },
    });
  }
  const { start, end } = range ?? { start: 0, end: size };
  const reader = await found.open(range).catch((error: unknown) => {
    throw isNotFound(error) ? unknownBlob(name, digest) : error;
  });
  return {
    status: range === undefined ? 200 : 206,
    headers: {
      ...headers,
      ...(range === undefined ? location : {}),
      "content-length": String(end - start),
      ...(range === undefined ? {} : { "content-range": `bytes ${start}-${end - 1}/${size}` }),
    },
    body: { chunks: completeChunks(reader, end - start), close: () => reader.close() },
    isHit: isHit(),
  };
}

async function findBlob(
  { source, leases, contents, upstreams }: ServedContent,
  { name, namespace, request }: RoutedRequest,
  digest: Digest,
): Promise<FoundBlob | undefined> {
  const { signal } = request;
  const upstream = upstreams?.repository(name, namespace);
  if (upstream !== undefined) {
    leases.touch(digest);
    return upstreams?.blob(upstream, digest, request);
  }
  if ((await contents.locate(name, namespace, digest)) === undefined) return undefined;
  leases.touch(digest);
  const info = await source.find(digest, { signal });
  return info && { size: info.size, open: (range) => source.moteReader(digest, { ...range, rehash: false, signal }) };
}

function unknownBlob(name: string, digest: Digest): ErrorResponse {
  const detail = { name, digest };
  return new ErrorResponse(404, "BLOB_UNKNOWN", "blob not found in this repository", { detail });
}
