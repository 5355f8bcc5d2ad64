import { chunksUntilAborted, untilAborted } from "@mote/core";

interface TimeLimit {
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
  const timer = setTimeout(() => limit.abort(late()), ms);
  const either = signal === undefined ? limit.signal : AbortSignal.any([signal, limit.signal]);
  try {
    return await untilAborted(run(either), either);
  } finally {
    clearTimeout(timer);
  }
}

/** Yields the chunks, each of which must arrive within the time. */
export async function* chunksInTime(
  chunks: AsyncIterable<Uint8Array>,
  { ms, signal, late }: TimeLimit,
): AsyncGenerator<Uint8Array, void, undefined> {
  const limit = new AbortController();
  const either = signal === undefined ? limit.signal : AbortSignal.any([signal, limit.signal]);
  // The time that the reader takes for a chunk does not count.
  let isWaiting = true;
  const timer = setTimeout(() => {
    if (isWaiting) limit.abort(late());
  }, ms);
  try {
    for await (const chunk of chunksUntilAborted(chunks, either)) {
      isWaiting = false;
      yield chunk;
      isWaiting = true;
      timer.refresh();
    }
  } finally {
    clearTimeout(timer);
  }
}
