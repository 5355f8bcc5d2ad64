import type { DeltaLayer, DeltaReport, MadeDelta } from "../wire.js";
import { shortDigest } from "./listing.js";
import type { Output } from "./output.js";
import { count, formatBytes, formatDuration } from "./quantity.js";
import { textTable } from "./text-table.js";

/** Returns what each delta costs, how it makes each layer, and where it is. */
export function deltaLines(
  { deltas, durationMs }: DeltaReport,
  { columns: width, style }: Pick<Output, "columns" | "style">,
): string[] {
  const columns = [
    { title: "LAYER" },
    { title: "SIZE", align: "right" as const },
    { title: "COSTS", align: "right" as const },
    { title: "HOW", elastic: true as const },
  ];
  return [
    ...deltas.flatMap((delta) => [summary(delta), ...textTable(columns, delta.layers.map(row), { width, style })]),
    ...(deltas.length === 0 ? [] : [`made ${count(deltas.length, "delta")} in ${formatDuration(durationMs)}`]),
    ...deltas.map(({ reference }) => reference),
  ];
}

function summary({ platform, newBytes, deltaBytes }: MadeDelta): string {
  const share = newBytes === 0 ? "" : `, ${((100 * deltaBytes) / newBytes).toFixed(1)} %`;
  const what = platform === undefined ? "" : `${platform}: `;
  return `${what}${formatBytes(deltaBytes)} instead of ${formatBytes(newBytes)}${share}`;
}

function row({ digest, size, how, diffBytes = 0, encoder, reason }: DeltaLayer): string[] {
  const cost = how === "fetched" ? size : diffBytes;
  const made = {
    stored: "the old image has it",
    encoded: `compressed again (${encoder})`,
    patched: `patched and compressed (${encoder})`,
    fetched: `fetched: ${reason}`,
  };
  return [shortDigest(digest), formatBytes(size), formatBytes(cost), made[how]];
}
