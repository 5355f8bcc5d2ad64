import { formatPlatform } from "@mote/core";
import type { MoveReport } from "../wire.js";
import { count, formatBytes, formatDuration } from "./quantity.js";

type Tally = MoveReport["hit"];

/** What was read from where, what became of it at the destination, and at last where everything is now, to be pasted. */
export function transferSummary(report: MoveReport, destination: string | undefined): string[] {
  return [
    `${whatWasRead(report)} in ${formatDuration(report.durationMs)}`,
    ...(destination === undefined ? [] : [`${whatWasPut(report)} → ${destination}`]),
    ...notes(report),
    ...references(report),
  ];
}

/** A line for each reference that was moved. */
export function references({ refs }: MoveReport): string[] {
  return refs.map(({ reference }) => reference);
}

function whatWasRead({ fetched, resumed, inlined, hit, manifests }: MoveReport): string {
  const told = [
    ...(fetched.count === 0 ? [] : [`fetched ${amount(fetched)}`]),
    ...(fetched.count > 0 || manifests.fetched === 0
      ? []
      : [`fetched ${count(manifests.fetched, "manifest")}, ${formatBytes(manifests.fetchedBytes)}`]),
    ...(resumed.count === 0 ? [] : [`resumed from ${amount(resumed)}`]),
    ...(inlined.count === 0 ? [] : [`${amount(inlined)} in the manifests`]),
    ...(hit.count === 0 ? [] : [`${amount(hit)} from the cache`]),
  ];
  if (fetched.count === 0 && manifests.fetched === 0) told.unshift("fetched nothing");
  return told.join(", ");
}

function whatWasPut({ copied, linked, mounted, skipped }: MoveReport): string {
  const told = [
    { text: "sent", tally: copied },
    { text: "linked", tally: linked },
    { text: "mounted", tally: mounted },
    { text: "there already", tally: skipped },
  ].filter(({ tally }) => tally.count > 0);
  return told.length === 0 ? "no blobs" : told.map(({ text, tally }) => `${text} ${amount(tally)}`).join(", ");
}

function notes({ refs, foreign, referrers }: MoveReport): string[] {
  const platforms = refs.flatMap(({ platform, resolved, descriptor }) =>
    platform === undefined || resolved.digest === descriptor.digest
      ? []
      : [`${formatPlatform(platform)} of the index: ${descriptor.digest}`],
  );
  return [
    ...platforms,
    ...(referrers.length === 0 ? [] : [`with ${count(referrers.length, "referrer")}`]),
    ...(foreign.count === 0 ? [] : [`skipped ${count(foreign.count, "foreign layer")}, ${formatBytes(foreign.bytes)}`]),
  ];
}

function amount({ count: blobs, bytes }: Tally): string {
  return `${formatBytes(bytes)} (${count(blobs, "blob")})`;
}
