import type { PruneReport } from "@mote/core";
import { formatBytes } from "./quantity.js";

/** What was to go and stays, and why. */
export function storedLine({ digest, size, reason, holder }: PruneReport["skipped"][number]): string {
  return `kept ${digest}, ${formatBytes(size)}: ${reason === "leased" && holder !== undefined ? `in use by ${holder}` : reason}`;
}
