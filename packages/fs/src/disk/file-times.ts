import fs from "node:fs";

/** Maximum clock skew between machines that share a folder. A time further ahead was written by a wrong clock. */
const clockSkewMs = 60_000;

/** Clamps a time (Unix milliseconds) to now, so that a wrong clock cannot keep anything forever. */
export function notAhead(timeMs: number, nowMs: number = Date.now()): number {
  return isAhead(timeMs, nowMs) ? nowMs : timeMs;
}

export function isAhead(timeMs: number, nowMs: number = Date.now()): boolean {
  return timeMs - nowMs > clockSkewMs;
}

/** Sets a file's times to now. @returns false if it does not exist or belongs to another user */
export function renewTimes(path: string): boolean {
  try {
    fs.lutimesSync(path, new Date(), new Date());
    return true;
  } catch {
    return false;
  }
}
