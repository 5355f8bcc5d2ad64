/** Bytes after which the rate is measured. */
const measuredBytes = 1024 * 1024;
/** Of Node; about 25 days. */
const maxTimerMs = 2 ** 31 - 1;

/** The end of work that takes longer than the alternative. */
export class TooSlow extends Error {}

/** Returns the result of work that is worth waiting for only so long. The work itself continues. @throws TooSlow */
export async function inTime<Result>(work: Promise<Result>, maxSeconds: number): Promise<Result> {
  if (maxSeconds === Number.POSITIVE_INFINITY) return work;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new TooSlow()), Math.min(maxSeconds * 1000, maxTimerMs));
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Returns a function for the number of bytes made so far, which calls `onBytes`, and throws `TooSlow` if the bytes after the first ones
 * arrive at a lower rate.
 */
export function minimumRate(bytesPerSecond: number, onBytes: (bytes: number) => void): (bytes: number) => void {
  let first: { readonly bytes: number; readonly ms: number } | undefined;
  return (bytes) => {
    onBytes(bytes);
    const ms = performance.now();
    first ??= { bytes, ms };
    const made = bytes - first.bytes;
    if (made >= measuredBytes && (made * 1000) / (ms - first.ms) < bytesPerSecond) throw new TooSlow();
  };
}
