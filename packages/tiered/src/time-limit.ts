import { chunksUntilAborted, type TimeLimit } from "@mote/core";

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
