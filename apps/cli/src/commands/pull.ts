import type { Context } from "../context.js";
import { showProgress } from "../progress.js";
import { count, formatBytes, formatDuration } from "../quantity.js";
import { UsageError } from "../usage-error.js";
import { openHouse, type TransferReport } from "../wire.js";

interface PullOptions {
  readonly platform?: string;
  readonly concurrency?: string;
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
  const progress = showProgress(out);
  try {
    const report = await mote.pull(source, destination, {
      signal,
      onEvent: progress.onEvent,
      ...(options.platform === undefined ? {} : { platform: options.platform }),
      ...(concurrency === undefined ? {} : { concurrency }),
    });
    progress.end();
    out.result({ source, ...(destination === undefined ? {} : { destination }), ...report }, summary(report, destination));
  } finally {
    progress.end();
  }
}

function summary(report: TransferReport, destination: string | undefined): string[] {
  const names = report.refs.map(({ ref, descriptor }) => `${ref}  ${descriptor.digest}`);
  return [...names, `${destination ?? "the cache"}: ${whatHappened(report)} in ${formatDuration(report.durationMs)}`];
}

function whatHappened(report: TransferReport): string {
  return "";
}

function parseConcurrency(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > 64) {
    throw new UsageError(`--concurrency ${text}: wants a whole number from 1 to 64`);
  }
  return value;
}
