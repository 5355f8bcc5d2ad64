import type { Context } from "../context.js";
import { showProgress } from "../progress.js";
import { count, formatBytes, formatDuration } from "../quantity.js";
import { UsageError } from "../usage-error.js";
import { openHouse, type TransferReport } from "../wire.js";

interface PullOptions {
  readonly platform?: string;
  readonly concurrency?: string;
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
  const { out, signal } = context;
  const concurrency = options.concurrency === undefined ? undefined : parseConcurrency(options.concurrency);
  // With another place for the bytes to go, a cache that cannot be written is no reason to fail.
  await using mote = await openHouse(context, { cacheOptional: destination !== undefined });
  const progress = await showProgress(out);
  try {
    const report = await mote.pull(source, destination, {
      signal,
      onEvent: progress.onEvent,
      referrers: options.withReferrers ?? false,
      overwrite: options.force ?? false,
      link: options.link ?? false,
      ...(options.platform === undefined ? {} : { platform: options.platform }),
      ...(concurrency === undefined ? {} : { concurrency }),
    });
    progress.end();
    out.result(
      { source, ...(destination === undefined ? {} : { destination }), ...report },
      summary(report, destination),
    );
  } finally {
    progress.end();
  }
}

export function summary(report: TransferReport, destination: string | undefined): string[] {
  const names = report.refs.map(({ descriptor, tag }) => `${descriptor.digest}${tag === undefined ? "" : `  ${tag}`}`);
  const place = destination ?? "the cache";
  return [...names, `in ${place} after ${formatDuration(report.durationMs)}: ${whatHappened(report).join(", ")}`];
}

function whatHappened({ fetched, hit, linked, copied, mounted, skipped, foreign }: TransferReport): string[] {
  const told = [
    { text: "fetched", ...fetched },
    { text: "from the cache", ...hit },
    { text: "linked", ...linked },
    { text: "copied", ...copied },
    { text: "mounted", ...mounted },
    { text: "there already", ...skipped },
    { text: "left where their URLs say", ...foreign },
  ].filter((tally) => tally.count > 0);
  if (told.length === 0) return ["no blobs"];
  return told.map((tally) => `${count(tally.count, "blob")} (${formatBytes(tally.bytes)}) ${tally.text}`);
}

export function parseConcurrency(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > 64) {
    throw new UsageError(`--concurrency ${text}: wants a whole number from 1 to 64`);
  }
  return value;
}
