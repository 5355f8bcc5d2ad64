import type { Context } from "../context.js";
import { count, formatBytes, parseBytes, parseDurationMs } from "../quantity.js";
import { UsageError } from "../usage-error.js";
import { openHouse } from "../wire.js";

interface PruneCommandOptions {
  readonly maxSize?: string;
  readonly olderThan?: string;
  readonly dryRun: boolean;
}

export async function prune(context: Context, options: PruneCommandOptions): Promise<void> {
  const { maxSize, olderThan, dryRun } = options;
  if (maxSize === undefined && olderThan === undefined) {
    throw new UsageError("prune wants --max-size SIZE, --older-than TIME, or both");
  }
  const maxBytes = maxSize === undefined ? Number.MAX_SAFE_INTEGER : parseBytes(maxSize);
  const maxAgeMs = olderThan === undefined ? undefined : parseDurationMs(olderThan);
  await using mote = await openHouse(context);
  const report = await mote.cache.prune(maxBytes, { dryRun, maxAgeMs, signal: context.signal });
  const { removed, removedBytes, freedBytes, remainingBytes, untagged, skipped, reached } = report;
  context.out.result(report, [
    `${dryRun ? "would remove" : "removed"} ${count(removed.length, "mote")}, ${formatBytes(removedBytes)}` +
      ` (${formatBytes(freedBytes)} given back); ${formatBytes(remainingBytes)} left`,
    ...untagged.map((name) => `${dryRun ? "would untag" : "untagged"} ${name}`),
    ...skipped.map(({ digest, size, reason }) => `kept ${digest}, ${formatBytes(size)}: ${reason}`),
  ]);
  if (!reached) {
    context.out.warn(
      `the cache is still larger than ${maxSize}: what is left is pinned, in use or could not be removed`,
    );
    process.exitCode = 1;
  }
}
