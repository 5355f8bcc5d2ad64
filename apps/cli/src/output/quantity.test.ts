import { expect, it } from "vitest";
import { formatBytes, formatDuration } from "./quantity.js";

it.each([
  [0, "0 B"],
  [32.599999999999994, "33 B"],
  [999.4, "999 B"],
  [999.7, "1.00 kB"],
  [1000, "1.00 kB"],
  [999_499, "999 kB"],
  [999_500, "1.00 MB"],
  [12_345_678, "12.3 MB"],
])("%d bytes are %s", (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text);
});

it.each([
  [0.4, "0 ms"],
  [999.4, "999 ms"],
  [999.7, "1.0 s"],
  [59_949, "59.9 s"],
  [59_960, "1 min 0 s"],
  [179_600, "3 min 0 s"],
  [125_000, "2 min 5 s"],
])("%d ms are %s", (ms, text) => {
  expect(formatDuration(ms)).toBe(text);
});
