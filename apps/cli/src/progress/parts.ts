import { textWidth } from "../output/terminal-text.js";

/** `share` of `width` columns filled. A share outside of 0 to 1 is taken for the nearer of them. */
export function bar(share: number, width: number): string {
  const filled = Math.round(Math.min(1, Math.max(0, share)) * width);
  return "━".repeat(filled) + "╌".repeat(width - filled);
}

/** `45 %`; 100 only when all is there. */
export function percent(share: number): string {
  return `${Math.floor(Math.min(1, Math.max(0, share)) * 100)} %`;
}

/** As many parts, from the first, as fit: what comes first matters most. */
export function joinFitting(parts: readonly string[], width: number): string {
  let line = "";
  for (const part of parts) {
    const longer = line === "" ? part : `${line}  ${part}`;
    if (line !== "" && textWidth(longer) > width) break;
    line = longer;
  }
  return line;
}
