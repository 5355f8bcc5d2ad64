import { type Html, html } from "./html.js";

const units = ["B", "kB", "MB", "GB", "TB", "PB"];

/** Formats bytes in decimal units with three digits, such as `12.3 MB`. */
export function formatBytes(bytes: number): string {
  let amount = bytes;
  let at = 0;
  for (; amount >= 999.5 && at < units.length - 1; at++) amount /= 1000;
  const digits = at === 0 || amount >= 99.95 ? 0 : amount >= 9.995 ? 1 : 2;
  return `${amount.toFixed(digits)}\u00a0${units[at]}`;
}

/** Formats a count, such as `12,345`. */
export function formatCount(count: number): string {
  return Math.round(count).toLocaleString("en-US");
}

/** Formats a count with its noun, such as `1 image` or `2 images`. */
export function formatCounted(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? "" : "s"}`;
}

/** Formats a share, such as `87 %`; undefined for a share of nothing. */
export function formatShare(part: number, total: number): string | undefined {
  if (total === 0) return undefined;
  const percent = (100 * part) / total;
  // Neither 0 nor 100 unless it is that exactly.
  const rounded = Math.round(percent);
  const shown = rounded === 0 && part > 0 ? "< 1" : rounded === 100 && part < total ? "> 99" : String(rounded);
  return `${shown}\u00a0%`;
}

const steps: readonly (readonly [number, string])[] = [
  [86_400, "d"],
  [3600, "h"],
  [60, "min"],
  [1, "s"],
];

/** Formats a duration in its largest unit, such as `3 h`. */
export function formatDuration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  const [length, unit] = steps.find(([each]) => seconds >= each) ?? [1, "s"];
  return `${formatCount(Math.floor(seconds / length))}\u00a0${unit}`;
}

/** Formats a time as its age; the title has the date. */
export function timeAgo(atMs: number, nowMs: number): Html {
  const date = new Date(atMs);
  // Times from elsewhere may be out of the range of dates.
  if (Number.isNaN(date.getTime())) return html``;
  const iso = date.toISOString();
  const age = nowMs - atMs < 1500 ? "just now" : `${formatDuration(nowMs - atMs)} ago`;
  return html`<time datetime="${iso}" title="${iso.slice(0, 19).replace("T", " ")} UTC">${age}</time>`;
}
