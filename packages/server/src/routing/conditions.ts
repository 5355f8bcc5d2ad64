import type { Digest } from "@mote/core";
import type { ApiResponse, RequestContext } from "./response.js";

/** RFC 7234, "Warning": the upstream could not be asked whether this is still its answer. */
export const staleWarning = '111 - "Revalidation Failed"';

/** The longest condition that is parsed, in characters. Other HTTP servers than Node's may have no limit. */
const maxConditionLength = 16_384;

/** Returns whether `If-None-Match` matches (RFC 9110, section 13.1.2). A condition that is too long is ignored. */
export function isNotModified(request: RequestContext, digest: Digest): boolean {
  const condition = request.header("if-none-match") ?? "";
  if (condition.length > maxConditionLength) return false;
  const tags = condition.split(",").map((tag) => tag.trim());
  return tags.some((tag) => tag === "*" || tag === `"${digest}"` || tag === `W/"${digest}"`);
}

/** Returns whether `If-Range` allows a range response (RFC 9110, section 13.1.5). */
export function allowsRange(request: RequestContext, digest: Digest): boolean {
  const condition = request.header("if-range");
  return condition === undefined || condition.trim() === `"${digest}"`;
}

export function identityHeaders(digest: Digest) {
  return { "docker-content-digest": digest, etag: `"${digest}"` };
}

export function notModified(digest: Digest): ApiResponse {
  return { status: 304, headers: identityHeaders(digest) };
}
