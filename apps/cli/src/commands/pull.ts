import type { Context } from "../context.js";
import { UsageError } from "../input/usage-error.js";
import { references, transferSummary } from "../output/transfer-summary.js";
import { type Progress, showProgress } from "../progress/transfer-progress.js";
import { bareDestination, goesToStdout, hasTransport, type MoveReport, openCache, parsePersonalRef } from "../wire.js";

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
  await transferImage(context, source, destination, options);
}

/** Copies an image. Unlike `pull`, it accepts a registry without `docker://` if the destination names a host. */
export async function copy(context: Context, source: string, destination: string, options: PullOptions): Promise<void> {
  const bare = bareDestination(destination);
  if (bare !== undefined && !bare.hasHost) throw new UsageError(`cannot copy to ${bare.reason}`);
  await transferImage(context, source, destination, options);
}

/** Transfers one image through the cache, or only into it. */
export async function transferImage(
  context: Context,
  source: string,
  destination: string | undefined,
  options: PullOptions,
): Promise<void> {
  const { out, signal, settings } = context;
  if (options.allPlatforms && options.platform !== undefined) {
    throw new UsageError("cannot combine --platform with --all-platforms");
  }
  const { offline = false } = options;
  if (offline && destination !== undefined && isRegistry(destination)) {
    throw new UsageError(
      `cannot use --offline with a registry as destination: ${destination}; choose a local destination`,
    );
  }
  if (destination !== undefined && (await goesToStdout(destination))) out.leaveStdout();
  // If there is a destination, a cache that is not writable must not stop the transfer.
  await using mote = await openCache(context, { cacheOptional: destination !== undefined && !offline, offline });
  await transferWithProgress(context, { source }, destination, (onEvent) => {
    const transferOptions = {
      signal,
      onEvent,
      referrers: options.withReferrers ?? false,
      overwrite: options.force ?? false,
      link: options.link ?? false,
      platform: options.allPlatforms ? undefined : settings.platform?.split(","),
      concurrency: settings.concurrency,
    };
    if (destination === undefined) return mote.pull(source, undefined, transferOptions);
    return mote.copy(source, destination, transferOptions);
  });
}

/** Shows the progress of a transfer and prints its result. */
export async function transferWithProgress(
  { out }: Context,
  of: object,
  destination: string | undefined,
  transfer: (onEvent: Progress["onEvent"]) => Promise<MoveReport>,
): Promise<void> {
  const progress = showProgress(out);
  try {
    const report = await transfer(progress.onEvent);
    progress.end();
    out.result(
      { ...of, ...(destination === undefined ? {} : { destination }), ...report },
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
