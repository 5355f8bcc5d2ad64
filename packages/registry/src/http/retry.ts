import { isNetworkError, networkFailure } from "./network-errors.js";

export interface RetryPolicy {
  /** How often a request is made again, at most. */
  readonly retries: number;
  /** How often at most where the host cannot be connected to: less often than one that is busy or breaks off. */
  readonly silentRetries: number;
  /** How often at most if the host did not respond in time. */
  readonly timeoutRetries: number;
  /** The first wait, in milliseconds; each further one is twice as long, up to `longestDelayMs`. */
  readonly firstDelayMs: number;
  readonly longestDelayMs: number;
  /** A registry that requires a longer wait than this gets no retry. */
  readonly longestRetryAfterMs: number;
}

/** Whether the same request may succeed a little later: 408, 429, the server's own errors, and those of Cloudflare in front of it (520 to 524). */
export function isTransientStatus(status: number): boolean {
  if (status >= 520 && status <= 524) return true;
  return status === 408 || status === 429 || status === 500 || (status >= 502 && status <= 504);
}

interface Acquaintance {
  /** A host that has responded before and takes no connection now may be restarting. */
  readonly hasResponded?: boolean;
}

/** How long to wait before attempt number `attempt` (from 1) is made again; undefined if another attempt would not help. */
export function delayAfterFailure(
  policy: RetryPolicy,
  error: unknown,
  attempt: number,
  known: Acquaintance = {},
): number | undefined {
  if (!isNetworkError(error)) return undefined;
  return attempt > retriesAfterFailure(policy, error, known) ? undefined : backoff(policy, attempt);
}

/** How often a request is made again at most that failed in this way. */
export function retriesAfterFailure(
  policy: RetryPolicy,
  error: unknown,
  { hasResponded = false }: Acquaintance = {},
): number {
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

/** The same for an error response. `retryAfter` is the header's value. */
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

/** RFC 9110, section 10.2.3: seconds, or a date. In milliseconds from `nowMs` on. */
export function parseRetryAfter(value: string | undefined, nowMs: number): number | undefined {
  if (value === undefined) return undefined;
  if (/^\s*\d+\s*$/.test(value)) return Number(value) * 1000;
  const at = Date.parse(value);
  return Number.isNaN(at) ? undefined : Math.max(0, at - nowMs);
}

/** The wait before attempt number `attempt` is made again, as far as the policy has one. */
export function delayWithin(policy: RetryPolicy, attempt: number): number | undefined {
  return attempt > policy.retries ? undefined : backoff(policy, attempt);
}

/** Half of it is left to chance, so that many who failed together do not come back together. */
export function backoff(policy: RetryPolicy, attempt: number): number {
  const full = Math.min(policy.longestDelayMs, policy.firstDelayMs * 2 ** (attempt - 1));
  return full / 2 + Math.random() * (full / 2);
}
