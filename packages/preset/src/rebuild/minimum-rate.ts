import { within } from "@mote/core";

/** Bytes after which the rate is measured. */
const measuredBytes = 1024 * 1024;

/** The end of work that takes longer than the alternative. */
export class TooSlow extends Error {}

/** Returns the result of work that is worth waiting for only so long. The work itself continues. @throws TooSlow */
export function inTime<Result>(work: Promise<Result>, maxSeconds: number): Promise<Result> {
  return within(work, 1000 * maxSeconds, () => new TooSlow());
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
