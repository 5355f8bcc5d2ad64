import type { PruneReport } from "@mote/core";
import { formatBytes } from "./quantity.js";

/** Returns the line for a mote that was not removed, with the reason. */
export function skippedLine({ digest, size, reason, holder }: PruneReport["skipped"][number]): string {
  return `skipped ${digest}, ${formatBytes(size)}: ${reason === "leased" && holder !== undefined ? `in use by ${holder}` : reason}`;
}
