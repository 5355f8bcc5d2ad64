import { MoteError } from "./error.js";
import type { CommitMode, PruneOptions } from "./mote.js";

/** Checks a size or position in bytes. @throws TypeError */
export function assertByteCount(value: number | undefined): void {
  if (value !== undefined && !(Number.isSafeInteger(value) && value >= 0))
    throw new TypeError(`${value} is not a number of bytes`);
}

/** Checks the mode of `commitMote`. @throws TypeError */
export function assertCommitMode(mode: CommitMode): void {
  if (mode !== "copy" && mode !== "move") throw new TypeError(`the mode is "copy" or "move", not "${String(mode)}"`);
}

/** Checks the arguments of `prune`. @throws TypeError */
export function assertPruneBounds(maxSize: number, { maxAgeMs = 0, minAgeMs = 0 }: PruneOptions): void {
  for (const [name, value] of Object.entries({ maxSize, maxAgeMs, minAgeMs })) {
    if (typeof value === "number" && value >= 0) continue;
    throw new TypeError(`${name} must be a number of at least 0, not ${String(value)}`);
  }
}

const maxTagLength = 4096;

/** Returns whether a tag store accepts the name. */
export function isTagStoreName(name: string): boolean {
  return typeof name === "string" && name !== "" && name.length <= maxTagLength && !/\p{Cc}/u.test(name);
}

/** @throws MOTE_INVALID_NAME if a tag store does not accept the name */
export function assertTagStoreName(name: string): void {
  if (isTagStoreName(name)) return;
  const message = `the name is not valid; use 1 to ${maxTagLength} characters without control characters`;
  throw new MoteError("MOTE_INVALID_NAME", message, { details: { name } });
}
