import { UsageError } from "../input/usage-error.js";

const byteUnits: Readonly<Record<string, number>> = {
  "": 1,
  b: 1,
  k: 1e3,
  kb: 1e3,
  kib: 2 ** 10,
  m: 1e6,
  mb: 1e6,
  mib: 2 ** 20,
  g: 1e9,
  gb: 1e9,
  gib: 2 ** 30,
  t: 1e12,
  tb: 1e12,
  tib: 2 ** 40,
};

const timeUnits: Readonly<Record<string, number>> = { s: 1e3, m: 6e4, h: 36e5, d: 864e5, w: 6048e5 };

/** Parses bytes, such as `500`, `10GB` (decimal) or `1.5GiB` (binary). @throws UsageError */
export function parseBytes(text: string): number {
  return parseQuantity(text, byteUnits, "a size, such as 500MB or 10GiB");
}

/** Parses a duration, such as `90s`, `12h`, `30d` or `2w`, into milliseconds. @throws UsageError */
export function parseDurationMs(text: string): number {
  return parseQuantity(text, timeUnits, "a time, such as 12h or 30d");
}

/** Parses the value of an option that is a count of at least 1. @throws UsageError */
export function countFromOne(option: string, text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new UsageError(`${option} ${text} is not valid; use a number from 1`);
}

function parseQuantity(text: string, units: Readonly<Record<string, number>>, wanted: string): number {
  const match = /^(\d{1,15}(?:\.\d{1,6})?) ?([a-z]{0,3})$/i.exec(text.trim());
  const unit = units[match?.[2]?.toLowerCase() ?? "-"];
  if (!match?.[1] || unit === undefined) throw new UsageError(`"${text}" is not ${wanted}`);
  return Math.round(Number(match[1]) * unit);
}

/** Formats bytes in decimal units, such as `12.3 MB`. */
export function formatBytes(bytes: number): string {
  if (bytes < 999.5) return `${Math.round(bytes)} B`;
  const units = ["kB", "MB", "GB", "TB", "PB"];
  let amount = bytes;
  let at = -1;
  do {
    amount /= 1000;
    at++;
  } while (amount >= 999.5 && at < units.length - 1);
  return `${amount < 10 ? amount.toFixed(2) : amount < 100 ? amount.toFixed(1) : Math.round(amount)} ${units[at]}`;
}

/** Formats a duration, such as `840 ms`, `3.2 s` or `2 min 5 s`. */
export function formatDuration(durationMs: number): string {
  if (durationMs < 999.5) return `${Math.round(durationMs)} ms`;
  if (durationMs < 59_950) return `${(durationMs / 1000).toFixed(1)} s`;
  const seconds = Math.round(durationMs / 1000);
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

/** Formats an age, such as `12 s`, `5 min`, `3 h`, `2 d`, `4 mo` or `3 y`. */
export function formatAge(ageMs: number): string {
  const seconds = Math.max(0, ageMs) / 1000;
  const units = [
    { unit: "s", length: 1, until: 60 },
    { unit: "min", length: 60, until: 60 },
    { unit: "h", length: 3600, until: 48 },
    { unit: "d", length: 86_400, until: 61 },
    { unit: "mo", length: 2_629_800, until: 24 },
  ];
  const fits = units.find(({ length, until }) => Math.floor(seconds / length) < until);
  const { unit, length } = fits ?? { unit: "y", length: 31_557_600 };
  return `${Math.floor(seconds / length)} ${unit}`;
}

/** Formats a count, such as `1 blob` or `2 blobs`. */
export function count(amount: number, noun: string): string {
  return `${amount} ${noun}${amount === 1 ? "" : "s"}`;
}
