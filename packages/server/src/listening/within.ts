/** Waits for work, but not longer than the time. @throws the error of `late` after it; the work itself continues */
export async function within<Result>(work: Promise<Result>, timeoutMs: number, late: () => Error): Promise<Result> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(late()), timeoutMs);
  });
  try {
    return await Promise.race([work, timeout]);
  } finally {
    clearTimeout(timer);
  }
}
