import { detailOf, type MoteError } from "@mote/core";
import { type ErrorCode, ErrorResponse } from "../routing/response.js";

const statuses: Readonly<Record<string, readonly [number, ErrorCode]>> = {
  MOTE_UNAUTHORIZED: [401, "UNAUTHORIZED"],
  MOTE_FORBIDDEN: [403, "DENIED"],
  MOTE_RATE_LIMITED: [429, "TOOMANYREQUESTS"],
  MOTE_TIMEOUT: [504, "UNKNOWN"],
};

/**
 * Returns the response to a request for which the upstream failed: never 404, which would mean that the content does not exist. The
 * message of the error is not sent: it may name hosts and paths that are not the client's business.
 */
export function upstreamError(error: MoteError, upstream: string): ErrorResponse {
  const asked = detailOf(error, "retryAfterMs");
  const retryAfterMs = typeof asked === "number" ? asked : undefined;
  const isPaused = error.code === "MOTE_UNREACHABLE" && retryAfterMs !== undefined;
  const [status, code] = statuses[error.code] ?? [isPaused ? 503 : 502, "UNKNOWN"];
  const headers =
    retryAfterMs === undefined ? {} : { "retry-after": String(Math.max(1, Math.ceil(retryAfterMs / 1000))) };
  return new ErrorResponse(status, code, `${upstream} could not answer the request: ${error.code}`, { headers });
}
