import type { Context } from "../context.js";
import { UsageError } from "../input/usage-error.js";
import { references, transferSummary } from "../output/transfer-summary.js";
import { showProgress } from "../progress/transfer-progress.js";
import { bareDestination, goesToStdout, hasTransport, openCache, parsePersonalRef } from "../wire.js";

interface PullOptions {
  readonly platform?: string;
  readonly allPlatforms?: boolean;
  readonly withReferrers?: boolean;
  readonly force?: boolean;
  readonly link?: boolean;
  readonly offline?: boolean;
}

export async function pull(
  context: Context,
  source: string,
  destination: string | undefined,
  options: PullOptions,
): Promise<void> {
  const bare = destination === undefined ? undefined : bareDestination(destination);
  if (bare !== undefined) throw new UsageError(`cannot pull to ${bare.reason}`);
  await move(context, source, destination, options);
}

/** As `pull`; but a registry's host says what is meant, too. */
export async function copy(context: Context, source: string, destination: string, options: PullOptions): Promise<void> {
  const bare = bareDestination(destination);
  if (bare !== undefined && !bare.hasHost) throw new UsageError(`cannot copy to ${bare.reason}`);
  await move(context, source, destination, options);
}

/** One image, through the cache, or into it alone. */
export async function move(
  context: Context,
  source: string,
  destination: string | undefined,
  options: PullOptions,
): Promise<void> {
  const { out, signal, settings } = context;
  if (options.allPlatforms && options.platform !== undefined) {
    throw new UsageError("--platform and --all-platforms contradict each other");
  }
  const { offline = false } = options;
  if (offline && destination !== undefined && isRegistry(destination)) {
    throw new UsageError(`--offline asks no registry, and ${destination} is one; leave one of them out`);
  }
  if (destination !== undefined && (await goesToStdout(destination))) out.leaveStdout();
  // With another place for the bytes to go, a cache that cannot be written is no reason to fail.
  await using mote = await openCache(context, { cacheOptional: destination !== undefined && !offline, offline });
  const progress = showProgress(out);
  try {
    const moving = {
      signal,
      onEvent: progress.onEvent,
      referrers: options.withReferrers ?? false,
      overwrite: options.force ?? false,
      link: options.link ?? false,
      platform: options.allPlatforms ? undefined : settings.platform,
      concurrency: settings.concurrency,
    };
    const report = await (destination === undefined
      ? mote.pull(source, undefined, moving)
      : mote.copy(source, destination, moving));
    progress.end();
    out.result(
      { source, ...(destination === undefined ? {} : { destination }), ...report },
      out.quiet ? references(report) : transferSummary(report, destination),
    );
  } finally {
    progress.end();
  }
}

function isRegistry(destination: string): boolean {
  if (bareDestination(destination) !== undefined) return true;
  return hasTransport(destination) && parsePersonalRef(destination).transport === "docker";
}
