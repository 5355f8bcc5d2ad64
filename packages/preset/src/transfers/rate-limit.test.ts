import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { RateLimit } from "./rate-limit.js";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** Takes chunks of this size repeatedly, and counts their bytes. */
function stream(limit: RateLimit, name: string, chunkBytes: number, signal?: AbortSignal): { bytes: number } {
  const taken = { bytes: 0 };
  const run = async () => {
    for (;;) {
      await limit.take(chunkBytes, signal, name);
      taken.bytes += chunkBytes;
    }
  };
  run().catch(() => {});
  return taken;
}

it("limits the bytes of all streams together, and shares them fairly whatever their chunks and connections", async () => {
  const limit = new RateLimit(1_000_000);
  const streams = [
    [stream(limit, "a", 1_000)],
    [stream(limit, "b", 200_000)],
    [stream(limit, "c", 50_000), stream(limit, "c", 50_000), stream(limit, "c", 50_000)],
  ];
  await vi.advanceTimersByTimeAsync(30_000);
  const shares = streams.map((parts) => parts.reduce((sum, { bytes }) => sum + bytes, 0));
  const total = shares.reduce((sum, bytes) => sum + bytes, 0);
  expect(total).toBeLessThanOrEqual(30_100_000);
  expect(total).toBeGreaterThan(29_000_000);
  // The first one asks for 1,000 bytes at a time, so it cannot use its share. The others differ only by their last chunks.
  const [, large = 0, parallel = 0] = shares;
  expect(large / parallel).toBeGreaterThan(0.85);
  expect(large / parallel).toBeLessThan(1.15);
});

it("gives the share of a stream that ends to the others", async () => {
  const limit = new RateLimit(1_000_000);
  const abort = new AbortController();
  stream(limit, "a", 100_000, abort.signal);
  const rest = stream(limit, "b", 100_000);
  await vi.advanceTimersByTimeAsync(1_000);
  abort.abort();
  const before = rest.bytes;
  await vi.advanceTimersByTimeAsync(10_000);
  expect(rest.bytes - before).toBeGreaterThan(9_700_000);
});

it("ends a wait when it is aborted, and then needs no timer", async () => {
  const limit = new RateLimit(1);
  await limit.take(4096, undefined);
  const abort = new AbortController();
  const waiting = limit.take(1, abort.signal);
  abort.abort(new Error("stop"));
  await expect(waiting).rejects.toThrow("stop");
  expect(vi.getTimerCount()).toBe(0);
});

it("rejects a rate that is not above 0", () => {
  for (const rate of [0, -1, Number.NaN]) expect(() => new RateLimit(rate)).toThrow(TypeError);
});
