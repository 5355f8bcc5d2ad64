import fs from "node:fs";

/** Clocks of machines that share a folder differ by less than this. A time that is further ahead was written by a wrong clock. */
const clockSkewMs = 60_000;

/** A time of use or change, in Unix milliseconds. One that is ahead counts as now: a wrong clock must not make anything last for ever. */
export function notAhead(timeMs: number, nowMs: number = Date.now()): number {
  return isAhead(timeMs, nowMs) ? nowMs : timeMs;
}

export function isAhead(timeMs: number, nowMs: number = Date.now()): boolean {
  return timeMs - nowMs > clockSkewMs;
}

/** Sets a file's times to now, so that it grows old from here on. @returns false if it is gone, or belongs to another user */
export function bringTimesBack(path: string): boolean {
  try {
    fs.lutimesSync(path, new Date(), new Date());
    return true;
  } catch {
    return false;
  }
}
