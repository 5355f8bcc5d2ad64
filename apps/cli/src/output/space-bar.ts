import type { Style } from "./terminal-text.js";

/** Returns a bar of `width` columns for a share of the cache: solid for unshared, light for shared space. */
export function spaceBar(
  part: { readonly bytes: number; readonly unsharedBytes: number; readonly of: number },
  { width, style }: { readonly width: number; readonly style: Style },
): string {
  const share = (bytes: number) => (part.of === 0 ? 0 : Math.min(1, bytes / part.of));
  const filled = Math.round(share(part.bytes) * width);
  // At least one column, unless it is empty.
  const shown = part.bytes > 0 ? Math.max(1, filled) : 0;
  const alone = Math.round((part.bytes === 0 ? 0 : part.unsharedBytes / part.bytes) * shown);
  return style.cyan("█".repeat(alone)) + style.dim("▒".repeat(shown - alone) + "·".repeat(width - shown));
}
