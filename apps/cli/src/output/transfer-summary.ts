import { formatPlatform } from "@mote/core";
import type { MoveReport } from "../wire.js";
import { count, formatBytes, formatDuration } from "./quantity.js";

type Tally = MoveReport["hit"];

/** Summarizes a transfer: what was read, what was written to the destination, and the resulting references. */
export function transferSummary(report: MoveReport, destination: string | undefined): string[] {
  return [
    `${readText(report)} in ${formatDuration(report.durationMs)}`,
    ...(destination === undefined ? [] : [`${writtenText(report)} → ${destination}`]),
    ...notes(report),
    ...references(report),
  ];
}

export function references({ refs }: MoveReport): string[] {
  return refs.map(({ reference }) => reference);
}

function readText(report: MoveReport): string {
  const { fetched, resumed, inlined, hit, tier, rebuilt, manifests } = report;
  const received =
    fetched.count > 0
      ? amount(fetched)
      : manifests.fetched > 0
        ? `${count(manifests.fetched, "manifest")}, ${formatBytes(manifests.fetchedBytes)}`
        : "nothing";
  return [
    ...(tier.count === 0
      ? [`fetched ${received}`]
      : [`fetched ${amount(tier)} from the tier`, `${received} from the ${sourceOf(report)}`]),
    ...(resumed.count === 0 ? [] : [`resumed from ${amount(resumed)}`]),
    ...(inlined.count === 0 ? [] : [`${amount(inlined)} embedded in manifests`]),
    ...(rebuilt.count === 0 ? [] : [`rebuilt ${amount(rebuilt)}`]),
    ...(hit.count === 0 ? [] : [`${amount(hit)} from the cache`]),
  ].join(", ");
}

function sourceOf({ refs }: MoveReport): "registry" | "source" {
  return refs.every(({ ref }) => typeof ref === "object" && ref.transport === "docker") ? "registry" : "source";
}

function writtenText({ copied, linked, mounted, skipped }: MoveReport): string {
  const parts = [
    { text: "sent", tally: copied },
    { text: "linked", tally: linked },
    { text: "mounted", tally: mounted },
    { text: "already present", tally: skipped },
  ].filter(({ tally }) => tally.count > 0);
  return parts.length === 0 ? "no blobs" : parts.map(({ text, tally }) => `${text} ${amount(tally)}`).join(", ");
}

function notes({ refs, foreign, referrers }: MoveReport): string[] {
  const platforms = refs.flatMap(({ platform, resolved, descriptor }) =>
    platform === undefined || resolved.digest === descriptor.digest
      ? []
      : [`platform ${formatPlatform(platform)}: ${descriptor.digest}`],
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
