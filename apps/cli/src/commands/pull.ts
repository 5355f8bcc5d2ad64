import type { Context } from "../context.js";
import { onlyFiles } from "../input/only-files.js";
import { UsageError } from "../input/usage-error.js";
import { placedLines, warnOfSkipped } from "../output/placed-files.js";
import { references, transferSummary } from "../output/transfer-summary.js";
import { type Progress, showProgress } from "../progress/transfer-progress.js";
import { bareDestination, goesToStdout, hasTransport, type MoveReport, openCache, parsePersonalRef } from "../wire.js";
import { moveSettings } from "./move-settings.js";
import type { PullOptions } from "./pull-options.js";

export async function pull(
  context: Context,
  source: string,
  destination: string | undefined,
  options: PullOptions,
): Promise<void> {
  const { unpack, into } = options;
  if (into !== undefined) {
    const { pullInto } = await import("./pull-into.js");
    return pullInto(context, source, destination, { ...options, into });
  }
  if (unpack !== undefined) return unpackImage(context, source, destination, { ...options, unpack });
  const bare = destination === undefined ? undefined : bareDestination(destination);
  if (bare !== undefined) throw new UsageError(`cannot pull to ${bare.reason}`);
  await transferImage(context, source, destination, options);
}

/** Writes the root file system of an image into a directory. */
async function unpackImage(
  context: Context,
  source: string,
  destination: string | undefined,
  { unpack, offline = false, ...options }: PullOptions & { readonly unpack: string },
): Promise<void> {
  const { out } = context;
  const { platform: platforms = [], ...moving } = moveSettings(context);
  if (destination !== undefined) throw new UsageError(`cannot combine --unpack with the destination ${destination}`);
  if (options.allPlatforms || platforms.length > 1)
    throw new UsageError("--unpack writes one platform; use --platform");
  if (options.link) throw new UsageError("cannot combine --unpack with --link");
  if (onlyFiles(options) !== undefined) {
    throw new UsageError(
      "--only and --only-annotation select files of an artifact; use mote get for files of an image",
    );
  }
  if (options.preferCached) throw new UsageError("cannot combine --unpack with --prefer-cached; use --offline");
  await using mote = await openCache(context, { cacheOptional: !offline, offline });
  using progress = showProgress(out);
  const { digest, platform, report, placed } = await mote.unpack(source, unpack, {
    ...moving,
    platform: platforms[0],
    onEvent: progress.onEvent,
    overwrite: options.force,
  });
  progress.end();
  warnOfSkipped(out, placed);
  out.note(`unpacked ${platform ?? digest}: all files belong to you, and have no setuid, setgid or sticky bits`);
  out.result({ source, ...report, unpacked: { dir: unpack, digest, ...placed } }, placedLines(placed, unpack));
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
  const { out, settings } = context;
  if (options.allPlatforms && options.platform !== undefined) {
    throw new UsageError("cannot combine --platform with --all-platforms");
  }
  const { offline = false } = options;
  if (offline && destination !== undefined && isRegistry(destination)) {
    throw new UsageError(
      `cannot use --offline with a registry as destination: ${destination}; choose a local destination`,
    );
  }
  const only = onlyFiles(options);
  if (only !== undefined && (destination === undefined || isRegistry(destination) || hasTransport(destination))) {
    throw new UsageError(
      "--only and --only-annotation select files of an artifact; they need a directory such as ./DIR/",
    );
  }
  if (destination !== undefined && (await goesToStdout(destination))) out.leaveStdout();
  // If there is a destination, a cache that is not writable must not stop the transfer.
  await using mote = await openCache(context, { cacheOptional: destination !== undefined && !offline, offline });
  await transferWithProgress(context, { source }, destination, (onEvent) => {
    const transferOptions = {
      ...moveSettings(context, options),
      onEvent,
      referrers: settings.withReferrers ?? false,
      overwrite: options.force ?? false,
      link: options.link ?? false,
      preferCached: options.preferCached,
      delta: options.delta,
      only,
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
  using progress = showProgress(out);
  const report = await transfer(progress.onEvent);
  out.result({ ...of, destination, ...report }, out.quiet ? references(report) : transferSummary(report, destination));
}

function isRegistry(destination: string): boolean {
  if (bareDestination(destination) !== undefined) return true;
  return hasTransport(destination) && parsePersonalRef(destination).transport === "docker";
}
