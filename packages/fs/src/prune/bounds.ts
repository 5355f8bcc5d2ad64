import type { PruneOptions } from "@mote/core";

/** @throws TypeError if a bound is negative or not a number */
export function checkBounds(maxSize: number, { maxAgeMs = 0, minAgeMs = 0 }: PruneOptions): void {
  for (const [name, value] of Object.entries({ maxSize, maxAgeMs, minAgeMs })) {
    if (typeof value === "number" && value >= 0) continue;
    throw new TypeError(`${name} is a number from 0, not ${String(value)}`);
  }
}
