import type { Clock } from "./clock.js";
import { isNetworkError, networkError, networkFailure, type Subject } from "./errors.js";
import type { HttpResponse } from "./http-transport.js";
import { delayAfterFailure, delayAfterStatus, type RetryPolicy, retriesAfterFailure } from "./retry.js";
import type { TimeLimit } from "./time-limit.js";
import { sleep } from "./waiting.js";

/** A request that is sent again after a failure that may pass. */
export interface Repetition {
  readonly subject: Subject;
  /** Of the request's URL. */
  readonly host: string;
  readonly what: string;
  readonly policy: RetryPolicy;
  /** False where a repetition would do harm, or is not possible. */
  readonly repeatable: boolean;
  readonly clock: Clock;
  /** The caller's. */
  readonly signal: AbortSignal | undefined;
  /** Aborts with what the request is to fail with when the client is closed. */
  readonly closing: AbortSignal;
  readonly limit: TimeLimit | undefined;
  /** The host that a failure is of, where that is another than `host`. */
  hostOf(error: unknown): string | undefined;
  hasAnswered(host: string): boolean;
  report(retry: Retry): void;
}

interface Retry {
  readonly host: string;
  /** Counted from 1. */
  readonly attempt: number;
  /** How many there are at most. */
  readonly retries: number;
  readonly delayMs: number;
  readonly reason: string;
}

type Outcome<T> =
  | { readonly taken: T }
  | { readonly refused: HttpResponse; readonly url: URL; readonly fault: () => Promise<Error> };

/** Sends a request until it is taken, or is not worth sending again. @throws the fault of the last attempt */
export async function repeatedly<T>(repetition: Repetition, attemptOnce: () => Promise<Outcome<T>>): Promise<T> {
  const { policy, limit, signal, closing, clock, subject, what, repeatable } = repetition;
  let askedMs = 0;
  for (let attempt = 1; ; attempt++) {
    let delayMs: number | undefined;
    let retries = policy.retries;
    let reason: string;
    let host: string;
    let fault: () => unknown;
    let discard = () => {};
    try {
      const outcome = await attemptOnce();
      if ("taken" in outcome) return outcome.taken;
      const { refused } = outcome;
      const retryAfter = refused.header("retry-after");
      delayMs = delayAfterStatus(policy, refused.status, retryAfter, attempt);
      if (retryAfter !== undefined) askedMs += delayMs ?? 0;
      reason = String(refused.status);
      host = outcome.url.host;
      fault = outcome.fault;
      discard = () => refused.discard();
    } catch (error) {
      signal?.throwIfAborted();
      closing.throwIfAborted();
      if (!isNetworkError(error)) throw error;
      const at = repetition.hostOf(error) ?? repetition.host;
      const hasAnswered = repetition.hasAnswered(at);
      delayMs = delayAfterFailure(policy, error, attempt, { hasAnswered });
      retries = retriesAfterFailure(policy, error, { hasAnswered });
      reason = networkFailure(error);
      host = at;
      fault = () => networkError(subject, at, error, what);
    }
    const isTooLong = delayMs === undefined || askedMs > policy.longestRetryAfterMs || limit?.endsWithin(delayMs);
    if (!repeatable || delayMs === undefined || isTooLong) throw await fault();
    discard();
    repetition.report({ host, attempt, retries, delayMs, reason });
    await sleep(delayMs, signal === undefined ? closing : AbortSignal.any([signal, closing]), clock);
  }
}
