import { count, formatBytes, formatDuration } from "./quantity.js";
import type { TransferReport } from "./wire.js";

/** The digests with their names, and one line on what was fetched, what was saved, and how long it took. */
export function transferSummary(report: TransferReport, destination: string | undefined): string[] {
  return [...transferredNames(report), whatHappened(report, destination)];
}

export function transferredNames({ refs }: TransferReport): string[] {
  return refs.map(({ descriptor, tag }) => `${descriptor.digest}${tag === undefined ? "" : `  ${tag}`}`);
}

function whatHappened(report: TransferReport, destination = "the cache"): string {
  const { fetched, hit, mounted, skipped, foreign, durationMs } = report;
  const saved = [
    { text: "cached", ...hit },
    { text: "mounted", ...mounted },
    { text: "there already", ...skipped },
  ].filter((tally) => tally.count > 0);
  const savedBytes = saved.reduce((sum, { bytes }) => sum + bytes, 0);
  const told = [
    `fetched ${fetched.count === 0 ? "nothing" : `${formatBytes(fetched.bytes)} (${count(fetched.count, "blob")})`}`,
    ...(saved.length === 0 ? [] : [`saved ${formatBytes(savedBytes)} (${tell(saved)})`]),
    ...(foreign.count === 0 ? [] : [`left ${count(foreign.count, "blob")} where the URLs say`]),
  ];
  return `${told.join(", ")} in ${formatDuration(durationMs)} → ${destination}`;
}

function tell(tallies: readonly { readonly text: string; readonly count: number }[]): string {
  return tallies.map((tally) => `${tally.count} ${tally.text}`).join(", ");
}
