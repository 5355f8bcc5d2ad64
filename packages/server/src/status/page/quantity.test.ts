import { expect, it } from "vitest";
import { formatBytes, formatCount, formatCounted, formatDuration, formatShare, timeAgo } from "./quantity.js";

const plain = (text: string | undefined) => text?.replaceAll("\u00a0", " ");

it.each([
  [0, "0 B"],
  [999, "999 B"],
  [1000, "1.00 kB"],
  [12_345, "12.3 kB"],
  [999_499, "999 kB"],
  [999_500, "1.00 MB"],
  [5e18, "5000 PB"],
])("%i bytes are shown as %s", (bytes, text) => {
  expect(plain(formatBytes(bytes))).toBe(text);
});

it.each([
  [0, 0, undefined],
  [0, 5, "0 %"],
  [1, 1000, "< 1 %"],
  [999, 1000, "> 99 %"],
  [7, 7, "100 %"],
  [2, 3, "67 %"],
])("%i of %i is shown as %s", (part, total, text) => {
  expect(plain(formatShare(part, total))).toBe(text);
});

it.each([
  [0, "0 s"],
  [59_000, "59 s"],
  [61_000, "1 min"],
  [7_300_000, "2 h"],
  [200_000_000, "2 d"],
])("%i ms are shown as %s", (ms, text) => {
  expect(plain(formatDuration(ms))).toBe(text);
});

it("counts have separators and their noun", () => {
  expect(formatCount(12_345)).toBe("12,345");
  expect([formatCounted(1, "image"), formatCounted(2, "image")]).toEqual(["1 image", "2 images"]);
});

it("a time is shown as its age, and one that is not a date as nothing", () => {
  expect(plain(timeAgo(0, 120_000).text)).toBe(
    '<time datetime="1970-01-01T00:00:00.000Z" title="1970-01-01 00:00:00 UTC">2 min ago</time>',
  );
  expect(timeAgo(1e300, 0).text).toBe("");
});
