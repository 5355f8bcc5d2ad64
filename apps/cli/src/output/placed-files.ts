import type { PlacedFiles } from "../wire.js";
import type { Output } from "./output.js";
import { count, formatBytes } from "./quantity.js";

const shownPaths = 3;

/** Warns of what was left out, once for each reason. */
export function warnOfSkipped(out: Output, { skipped }: PlacedFiles): void {
  const reasons = new Map<string, string[]>();
  for (const { path, reason } of skipped) {
    const kind = reason.startsWith("leads to") ? "leads out of the directory" : reason;
    reasons.set(kind, [...(reasons.get(kind) ?? []), path]);
  }
  for (const [reason, paths] of reasons) {
    const more = paths.length > shownPaths ? ` and ${paths.length - shownPaths} more` : "";
    out.warn(`skipped ${paths.slice(0, shownPaths).join(", ")}${more}: ${reason}`);
  }
}

export function placedLines({ files, folders, links, bytes }: PlacedFiles, dir: string): string[] {
  const parts = [
    `${count(files, "file")}, ${formatBytes(bytes)}`,
    ...(folders > 0 ? [count(folders, "directory").replace(/ys$/, "ies")] : []),
    ...(links > 0 ? [count(links, "link")] : []),
  ];
  return [`wrote ${parts.join(", ")} → ${dir}`];
}
