/** Of Node's timers; about 25 days. Longer ones would end at once. */
const maxTimerMs = 2 ** 31 - 1;

/** Waits for work, but not longer than the time. @throws the error of `late` after it; the work itself continues */
export async function within<Result>(work: Promise<Result>, timeoutMs: number, late: () => Error): Promise<Result> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(late()), Math.min(timeoutMs, maxTimerMs));
  });
  try {
    return await Promise.race([work, timeout]);
  } finally {
    clearTimeout(timer);
  }
}
