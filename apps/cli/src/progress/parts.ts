import { textWidth } from "../output/terminal-text.js";

/** Returns a bar with `share` of `width` columns filled. Clamps the share to 0–1. */
export function bar(share: number, width: number): string {
  const filled = Math.round(Math.min(1, Math.max(0, share)) * width);
  return "━".repeat(filled) + "╌".repeat(width - filled);
}

/** Formats a share, such as `45 %`. 100 % means complete. */
export function percent(share: number): string {
  return `${Math.floor(Math.min(1, Math.max(0, share)) * 100)} %`;
}

/** Joins as many parts as fit, from the first, which matters most. */
export function joinFitting(parts: readonly string[], width: number): string {
  let line = "";
  for (const part of parts) {
    const longer = line === "" ? part : `${line}  ${part}`;
    if (line !== "" && textWidth(longer) > width) break;
    line = longer;
  }
  return line;
}
