/** Waits for `work`, but rejects with the reason of the signal as soon as it is aborted. The work itself continues. */
export function untilAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason);
    if (signal.aborted) onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}

/** Yields chunks until the signal is aborted, even if the source stalls. */
export async function* chunksUntilAborted<T>(
  chunks: AsyncIterable<T>,
  signal: AbortSignal | undefined,
): AsyncGenerator<T, void, undefined> {
  const iterator = chunks[Symbol.asyncIterator]();
  let ended = false;
  try {
    for (;;) {
      const { done, value } = await untilAborted(iterator.next(), signal);
      if (done) {
        ended = true;
        return;
      }
      yield value;
    }
  } finally {
    const returning = ended ? undefined : iterator.return?.();
    // An iterator that waits for its next chunk returns only after that chunk, which may never come.
    if (signal?.aborted) returning?.catch(() => {});
    else await returning;
  }
}
