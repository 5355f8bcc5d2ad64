import type { SyncedImage, SyncReport } from "../wire.js";
import type { Output } from "./output.js";
import { count, formatBytes, formatDuration } from "./quantity.js";
import { type TableColumn, textTable } from "./text-table.js";

const planned = { copied: "copy", planned: "copy", unchanged: "unchanged", failed: "failed" } as const;

/** Formats the report of a sync: a line for each image, and a summary. Under `--quiet`, only the complete images. */
export function syncLines(
  report: SyncReport,
  { quiet, columns, style }: Pick<Output, "quiet" | "columns" | "style">,
): string[] {
  const { images, removed, dryRun } = report;
  if (quiet) return images.flatMap(({ state, destination }) => (state === "failed" ? [] : (destination ?? [])));
  const table: TableColumn[] = [
    { title: "STATE" },
    { title: "SOURCE", elastic: true },
    { title: "DESTINATION", optional: true },
    { title: "SENT", align: "right" },
    { title: "BLOBS", align: "right", optional: true },
  ];
  const rows = [
    ...images.map((image) => [
      stateText(image, dryRun),
      image.source,
      image.destination ?? "-",
      image.blobs === 0 ? "0" : formatBytes(image.bytes),
      String(image.blobs),
    ]),
    ...removed.map(({ destination, state }) => [state === "planned" ? "remove" : state, "-", destination, "0", "0"]),
  ];
  return [...textTable(table, rows, { width: columns, style }), summary(report)];
}

function stateText({ state }: SyncedImage, dryRun: boolean): string {
  return dryRun ? planned[state] : state;
}

function summary({ images, removed, failed, blobs, bytes, dryRun, durationMs }: SyncReport): string {
  const of = (state: SyncedImage["state"]) => images.filter((image) => image.state === state).length;
  const gone = removed.filter(({ state }) => state === "removed" || state === "planned").length;
  const kept = removed.filter(({ state }) => state === "kept").length;
  const parts = [
    dryRun ? `${of("planned")} to copy` : `${of("copied")} copied`,
    `${of("unchanged")} unchanged`,
    `${failed} failed`,
    ...(gone > 0 ? [dryRun ? `${gone} to remove` : `${gone} removed`] : []),
    ...(kept > 0 ? [`${kept} not removed`] : []),
  ];
  const moved = `${formatBytes(bytes)} (${count(blobs, "blob")})`;
  return `${count(images.length, "image")}: ${parts.join(", ")}; ${dryRun ? "would send" : "sent"} ${moved} in ${formatDuration(durationMs)}`;
}
