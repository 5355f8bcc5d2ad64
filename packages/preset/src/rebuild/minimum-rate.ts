import { within } from "@mote/core";

/** The rate is measured when so many bytes are due. */
const measuredBytes = 1024 * 1024;

/** The end of work that takes longer than the alternative. */
export class TooSlow extends Error {}

/** Returns the result of work that is worth waiting for only so long. The work itself continues. @throws TooSlow */
export function inTime<Result>(work: Promise<Result>, maxSeconds: number): Promise<Result> {
  return within(work, 1000 * maxSeconds, () => new TooSlow());
}

/** Yields chunks for so long. @throws TooSlow afterwards */
export async function* chunksInTime(
  chunks: AsyncIterable<Uint8Array>,
  maxSeconds: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  const startMs = performance.now();
  for await (const chunk of chunks) {
    if (performance.now() - startMs > 1000 * maxSeconds) throw new TooSlow();
    yield chunk;
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
    // By what is due and not by what was made: content that compresses to almost nothing would never be measured.
    const due = (bytesPerSecond * (ms - first.ms)) / 1000;
    if (due >= measuredBytes && bytes - first.bytes < due) throw new TooSlow();
  };
}
