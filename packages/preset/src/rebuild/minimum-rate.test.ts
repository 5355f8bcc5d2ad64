import { afterEach, expect, it, vi } from "vitest";
import { minimumRate, TooSlow } from "./minimum-rate.js";

const mebibyte = 1024 * 1024;
let nowMs = 0;
vi.spyOn(performance, "now").mockImplementation(() => nowMs);
afterEach(() => {
  nowMs = 0;
});

it("work that is slower than the link ends when enough of it is measured, after the first bytes", () => {
  const seen: number[] = [];
  const take = minimumRate(mebibyte, (bytes) => seen.push(bytes));
  take(1000);
  nowMs = 1500;
  take(mebibyte / 2);
  expect(() => take(1000 + mebibyte)).toThrow(TooSlow);
  expect(seen).toEqual([1000, mebibyte / 2, 1000 + mebibyte]);
});

it("work that is faster continues, also if it began late, and any rate is enough if none is required", () => {
  nowMs = 60_000;
  const take = minimumRate(mebibyte, () => {});
  take(1000);
  nowMs += 900;
  expect(() => take(1000 + mebibyte)).not.toThrow();
  const any = minimumRate(0, () => {});
  any(1);
  nowMs += 1_000_000;
  expect(() => any(2 * mebibyte)).not.toThrow();
});
