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

/**
 * Sets an access time that is ahead to now, so that it grows old from here on. The modification time stays.
 * @returns false where the file is gone or belongs to somebody else
 */
export function bringUseBack(path: string): boolean {
  return setTimes(path, ({ mtimeMs }) => [Date.now(), mtimeMs]);
}

/** As `bringUseBack`, of the modification time too. */
export function bringTimesBack(path: string): boolean {
  return setTimes(path, () => [Date.now(), Date.now()]);
}

function setTimes(path: string, timesMs: (stats: fs.Stats) => readonly [number, number]): boolean {
  try {
    const [accessMs, changeMs] = timesMs(fs.lstatSync(path));
    fs.lutimesSync(path, accessMs / 1000, changeMs / 1000);
    return true;
  } catch {
    return false;
  }
}
