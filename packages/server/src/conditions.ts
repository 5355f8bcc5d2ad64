import type { Digest } from "@mote/core";
import type { RequestContext } from "./response.js";

/** Characters of a condition that are looked at. Node's own bound on a head is 16 KiB; other servers may have none. */
const longestCondition = 16_384;

/** Whether the client has it already (RFC 9110, section 13.1.2). A condition that is too long is none. */
export function isCurrent(ask: RequestContext, digest: Digest): boolean {
  const condition = ask.header("if-none-match") ?? "";
  if (condition.length > longestCondition) return false;
  const tags = condition.split(",").map((tag) => tag.trim());
  return tags.some((tag) => tag === "*" || tag === `"${digest}"` || tag === `W/"${digest}"`);
}

/** Whether a range may be sent: only to a client that has the beginning of this very blob (RFC 9110, section 13.1.5). */
export function mayCut(ask: RequestContext, digest: Digest): boolean {
  const condition = ask.header("if-range");
  return condition === undefined || condition.trim() === `"${digest}"`;
}
