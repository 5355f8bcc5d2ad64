import { untilAborted } from "./until-aborted.js";

/** Of Node's timers; about 25 days. Longer ones would end at once. */
const maxTimerMs = 2 ** 31 - 1;

export interface TimeLimit {
  readonly ms: number;
  readonly signal: AbortSignal | undefined;
  /** Returns the error that is thrown after the time. */
  readonly late: () => Error;
}

/** Calls `run` with a signal that is aborted after the time, and does not wait longer even if `run` ignores it. */
export async function inTime<Result>(
  run: (signal: AbortSignal) => Promise<Result>,
  { ms, signal, late }: TimeLimit,
): Promise<Result> {
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(late()), Math.min(ms, maxTimerMs));
  const either = signal === undefined ? limit.signal : AbortSignal.any([signal, limit.signal]);
  try {
    return await untilAborted(run(either), either);
  } finally {
    clearTimeout(timer);
  }
}

/** Waits for work, but not longer than the time. @throws the error of `late` after it; the work itself continues */
export async function within<Result>(work: Promise<Result>, timeoutMs: number, late: () => Error): Promise<Result> {
  return await inTime(() => work, { ms: timeoutMs, signal: undefined, late });
}
