import type { Context } from "../context.js";
import { showProgress } from "../progress/transfer-progress.js";
import { transferredNames, transferSummary } from "../transfer-summary.js";
import { UsageError } from "../usage-error.js";
import { openHouse } from "../wire.js";

interface PullOptions {
  readonly platform?: string;
  readonly allPlatforms?: boolean;
  readonly withReferrers?: boolean;
  readonly force?: boolean;
  readonly link?: boolean;
}

export async function pull(
  context: Context,
  source: string,
  destination: string | undefined,
  options: PullOptions,
): Promise<void> {
  const { out, signal, settings } = context;
  if (options.allPlatforms && options.platform !== undefined) {
    throw new UsageError("--platform and --all-platforms contradict each other");
  }
  // With another place for the bytes to go, a cache that cannot be written is no reason to fail.
  await using mote = await openHouse(context, { cacheOptional: destination !== undefined });
  const progress = showProgress(out);
  try {
    const report = await mote.pull(source, destination, {
      signal,
      onEvent: progress.onEvent,
      referrers: options.withReferrers ?? false,
      overwrite: options.force ?? false,
      link: options.link ?? false,
      platform: options.allPlatforms ? undefined : settings.platform,
      concurrency: settings.concurrency,
    });
    progress.end();
    out.result(
      { source, ...(destination === undefined ? {} : { destination }), ...report },
      out.quiet ? transferredNames(report) : transferSummary(report, destination),
    );
  } finally {
    progress.end();
  }
}
