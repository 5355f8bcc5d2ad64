/** Waits for `work`, but rejects with the reason of the signal as soon as it is aborted. The work itself continues. */
export function untilAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason);
    if (signal.aborted) onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    work.then(
      (value) => {
        signal.removeEventListener("abort", onAbort);
        resolve(value);
      },
      (error: unknown) => {
        signal.removeEventListener("abort", onAbort);
        reject(error);
      },
    );
  });
}

/** Yields chunks until the signal is aborted, even if the source stalls. */
export async function* chunksUntilAborted<T>(
  chunks: AsyncIterable<T>,
  signal: AbortSignal | undefined,
): AsyncGenerator<T, void, undefined> {
  const iterator = chunks[Symbol.asyncIterator]();
  let ended = false;
  // One listener for all chunks.
  let reject = (_reason: unknown): void => {};
  const onAbort = (): void => reject(signal?.reason);
  const next = () => {
    if (signal === undefined) return iterator.next();
    return new Promise<IteratorResult<T>>((resolve, rejectNext) => {
      reject = rejectNext;
      if (signal.aborted) onAbort();
      iterator.next().then(resolve, rejectNext);
    });
  };
  signal?.addEventListener("abort", onAbort, { once: true });
  try {
    for (;;) {
      const { done, value } = await next();
      if (done) {
        ended = true;
        return;
      }
      yield value;
    }
  } finally {
    signal?.removeEventListener("abort", onAbort);
    const returning = ended ? undefined : iterator.return?.();
    // An iterator that waits for its next chunk returns only after that chunk, which may never come.
    if (signal?.aborted) returning?.catch(() => {});
    else await returning;
  }
}
