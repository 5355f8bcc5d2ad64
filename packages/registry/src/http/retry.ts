import { networkFailure } from "./network-errors.js";

export interface RetryPolicy {
  /** The maximum number of retries. */
  readonly retries: number;
  /** The maximum if the host cannot be connected to: lower than for a busy host or a broken connection. */
  readonly silentRetries: number;
  /** The maximum after a response timeout. */
  readonly timeoutRetries: number;
  /** The first delay, in milliseconds; doubles up to `longestDelayMs`. */
  readonly firstDelayMs: number;
  readonly longestDelayMs: number;
  /** Longer delays requested by the registry prevent a retry. */
  readonly longestRetryAfterMs: number;
}

/** Returns whether a retry may succeed: 408, 429, server errors, and Cloudflare's (520 to 524). */
export function isTransientStatus(status: number): boolean {
  if (status >= 520 && status <= 524) return true;
  return status === 408 || status === 429 || status === 500 || (status >= 502 && status <= 504);
}

/**
 * Returns the maximum number of retries after this kind of network error. A host that has responded before and refuses a
 * connection may be restarting.
 */
export function retriesAfterFailure(policy: RetryPolicy, error: unknown, hasResponded: boolean): number {
  switch (networkFailure(error)) {
    case "tls":
    case "proxy":
      return 0;
    case "cut":
      return policy.retries;
    case "connect":
      return hasResponded ? policy.retries : Math.min(policy.retries, policy.silentRetries);
    case "unresolved":
      return Math.min(policy.retries, policy.silentRetries);
    case "timeout":
    case "slow":
      return Math.min(policy.retries, policy.timeoutRetries);
  }
}

/** Does the same for an error response. `retryAfter` is the header's value. */
export function delayAfterStatus(
  policy: RetryPolicy,
  status: number,
  retryAfter: string | undefined,
  attempt: number,
): number | undefined {
  if (!isTransientStatus(status) || attempt > policy.retries) return undefined;
  const asked = parseRetryAfter(retryAfter, Date.now());
  if (asked === undefined) return backoff(policy, attempt);
  if (asked > policy.longestRetryAfterMs) return undefined;
  return Math.max(asked, backoff(policy, attempt));
}

/** Parses RFC 9110, section 10.2.3: seconds, or a date. In milliseconds from `nowMs`. */
export function parseRetryAfter(value: string | undefined, nowMs: number): number | undefined {
  if (value === undefined) return undefined;
  if (/^\s*\d+\s*$/.test(value)) return Number(value) * 1000;
  const at = Date.parse(value);
  return Number.isNaN(at) ? undefined : Math.max(0, at - nowMs);
}

/** Returns the delay before repeating attempt number `attempt`, if the policy has one. */
export function delayWithin(policy: RetryPolicy, attempt: number): number | undefined {
  return attempt > policy.retries ? undefined : backoff(policy, attempt);
}

/** Adds jitter of up to half, so that clients that failed together do not retry together. */
export function backoff(policy: RetryPolicy, attempt: number): number {
  const full = Math.min(policy.longestDelayMs, policy.firstDelayMs * 2 ** (attempt - 1));
  return full / 2 + Math.random() * (full / 2);
}
