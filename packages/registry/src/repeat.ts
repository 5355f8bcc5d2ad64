import type { Clock } from "./http/clock.js";
import type { HttpResponse } from "./http/http-transport.js";
import { isNetworkError, networkFailure } from "./http/network-errors.js";
import { delayAfterStatus, delayWithin, type RetryPolicy, retriesAfterFailure } from "./http/retry.js";
import type { TimeLimit } from "./http/time-limit.js";
import { sleep } from "./http/waiting.js";
import { networkError } from "./reports/network-error.js";
import type { Subject } from "./reports/subject.js";

/** A request that is repeated after a temporary error. */
export interface Repetition {
  readonly subject: Subject;
  /** Of the request's URL. */
  readonly host: string;
  readonly what: string;
  readonly policy: RetryPolicy;
  /** False if a repeat would do harm, or is impossible. */
  readonly repeatable: boolean;
  readonly clock: Clock;
  /** The caller's. */
  readonly signal: AbortSignal | undefined;
  /** Aborts with the request's error when the client is closed. */
  readonly closing: AbortSignal;
  readonly limit: TimeLimit | undefined;
  /** Returns the host where an exchange failed, if not `host`. */
  hostOf(error: unknown): string | undefined;
  hasResponded(host: string): boolean;
  report(retry: Retry): void;
}

interface Retry {
  readonly host: string;
  /** Counted from 1. */
  readonly attempt: number;
  /** The maximum. */
  readonly retries: number;
  readonly delayMs: number;
  readonly reason: string;
}

type Outcome<T> =
  | { readonly result: T }
  | { readonly response: HttpResponse; readonly url: URL; readonly error: () => Promise<Error> };

/** Repeats a request until it succeeds, or another attempt would not help. @throws the last attempt's error */
export async function repeatedly<T>(repetition: Repetition, attemptOnce: () => Promise<Outcome<T>>): Promise<T> {
  const { policy, limit, signal, closing, clock, subject, what, repeatable } = repetition;
  let retryAfterMs = 0;
  for (let attempt = 1; ; attempt++) {
    let delayMs: number | undefined;
    let retries = policy.retries;
    let reason: string;
    let host: string;
    let error: () => unknown;
    let discard = () => {};
    try {
      const outcome = await attemptOnce();
      if ("result" in outcome) return outcome.result;
      const { response } = outcome;
      const retryAfter = response.header("retry-after");
      delayMs = delayAfterStatus(policy, response.status, retryAfter, attempt);
      if (retryAfter !== undefined) retryAfterMs += delayMs ?? 0;
      reason = String(response.status);
      host = outcome.url.host;
      error = outcome.error;
      discard = () => response.discard();
    } catch (cause) {
      signal?.throwIfAborted();
      closing.throwIfAborted();
      if (!isNetworkError(cause)) throw cause;
      const at = repetition.hostOf(cause) ?? repetition.host;
      retries = retriesAfterFailure(policy, cause, repetition.hasResponded(at));
      delayMs = delayWithin({ ...policy, retries }, attempt);
      reason = networkFailure(cause);
      host = at;
      error = () => networkError(subject, at, cause, what);
    }
    const isTooLong = delayMs === undefined || retryAfterMs > policy.longestRetryAfterMs || limit?.endsWithin(delayMs);
    if (!repeatable || delayMs === undefined || isTooLong) throw await error();
    discard();
    repetition.report({ host, attempt, retries, delayMs, reason });
    await sleep(delayMs, signal === undefined ? closing : AbortSignal.any([signal, closing]), clock);
  }
}
