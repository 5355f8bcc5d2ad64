import { afterEach, expect, it, vi } from "vitest";
import { chunksInTime, inTime, minimumRate, TooSlow } from "./minimum-rate.js";

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
  nowMs = 900;
  take(mebibyte / 2);
  nowMs = 1500;
  expect(() => take(1000 + mebibyte)).toThrow(TooSlow);
  expect(seen).toEqual([1000, mebibyte / 2, 1000 + mebibyte]);
});

it("work that makes almost nothing for a long time ends too", () => {
  const take = minimumRate(mebibyte, () => {});
  take(1000);
  nowMs = 2000;
  expect(() => take(2000)).toThrow(TooSlow);
});

it("work that is faster continues, even if it began late, and any rate is enough if none is required", () => {
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

it("content that takes longer than the alternative ends, even if nothing is made of it", async () => {
  async function* slow() {
    for (let at = 0; at < 5; at++) {
      nowMs += 400;
      yield new Uint8Array(1);
    }
  }
  const read: number[] = [];
  const reading = async (maxSeconds: number) => {
    for await (const chunk of chunksInTime(slow(), maxSeconds)) read.push(chunk.byteLength);
  };
  await expect(reading(1)).rejects.toThrow(TooSlow);
  expect(read).toHaveLength(2);
  await reading(Number.POSITIVE_INFINITY);
  expect(read).toHaveLength(7);
});

it("waiting ends when the alternative would be faster, and the work continues", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  try {
    let end = (_: string): void => {};
    const work = new Promise<string>((resolve) => {
      end = resolve;
    });
    const first = expect(inTime(work, 10)).rejects.toThrow(TooSlow);
    await vi.advanceTimersByTimeAsync(10_000);
    await first;
    const second = inTime(work, 1e9);
    end("done");
    expect([await second, await inTime(work, Number.POSITIVE_INFINITY)]).toEqual(["done", "done"]);
    expect(vi.getTimerCount()).toBe(0);
  } finally {
    vi.useRealTimers();
  }
});
