import { errorCode } from "@mote/core";

/** How often and how long requests are repeated. Times in milliseconds. */
export interface RetryPolicy {
  readonly retries: number;
  /** Doubles up to `longestDelayMs`. */
  readonly firstDelayMs: number;
  readonly longestDelayMs: number;
  /** A longer `Retry-After` ends the attempts. */
  readonly longestRetryAfterMs: number;
}

export const defaultRetries: RetryPolicy = {
  retries: 8,
  firstDelayMs: 100,
  longestDelayMs: 10_000,
  longestRetryAfterMs: 60_000,
};

/** Codes of S3 that a later attempt may not get, whatever the status. */
const transientCodes: ReadonlySet<string> = new Set([
  ...["SlowDown", "SlowDownRead", "SlowDownWrite", "ServiceUnavailable", "InternalError", "RequestTimeout"],
  ...[
    "OperationAborted",
    // versitygw, if an empty folder is removed while an object is written to it.
    "ExistingObjectIsDirectory",
    "ConditionalRequestConflict",
    "TooManyRequests",
    "RequestLimitExceeded",
    "XMinioServerNotInitialized",
  ],
]);

/** Returns whether a later attempt may succeed. */
export function isTransient(status: number, code: string | undefined): boolean {
  if (code !== undefined && transientCodes.has(code)) return true;
  return status === 408 || status === 429 || status === 500 || (status >= 502 && status <= 504);
}

const networkCodes: ReadonlySet<string> = new Set([
  ...["ECONNRESET", "ECONNREFUSED", "ECONNABORTED", "EPIPE", "ETIMEDOUT", "EHOSTUNREACH", "ENETUNREACH", "ENETDOWN"],
  ...["ENOTFOUND", "EAI_AGAIN", "ERR_STREAM_PREMATURE_CLOSE", "MOTE_TIMEOUT"],
]);

/** Returns whether an error of a connection may be gone at a later attempt. */
export function isNetworkError(error: unknown): boolean {
  const code = errorCode(error);
  // llhttp's codes begin with HPE_: the response is not HTTP.
  return code !== undefined && (networkCodes.has(code) || code.startsWith("HPE_"));
}

/**
 * Returns the delay before the next attempt; undefined if there is none. Half of it is random, so that clients that were slowed down together
 * do not return together.
 * @param attempt counted from 1
 * @param retryAfter the header's value: seconds or a date (RFC 9110, section 10.2.3)
 */
export function delayBefore(
  policy: RetryPolicy,
  attempt: number,
  retryAfter?: string | undefined,
  nowMs = Date.now(),
): number | undefined {
  if (attempt > policy.retries) return undefined;
  const full = Math.min(policy.longestDelayMs, policy.firstDelayMs * 2 ** (attempt - 1));
  const own = full / 2 + Math.random() * (full / 2);
  const required = retryAfterMs(retryAfter, nowMs);
  if (required === undefined) return own;
  return required > policy.longestRetryAfterMs ? undefined : Math.max(required, own);
}

function retryAfterMs(value: string | undefined, nowMs: number): number | undefined {
  if (value === undefined) return undefined;
  if (/^\s*\d+\s*$/.test(value)) return Number(value) * 1000;
  const at = Date.parse(value);
  return Number.isNaN(at) ? undefined : Math.max(0, at - nowMs);
}
