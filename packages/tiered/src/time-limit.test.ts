import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { chunksInTime } from "./time-limit.js";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
});
afterEach(() => {
  vi.useRealTimers();
});

const late = () => new RangeError("late");

/** Yields as many chunks, and then hangs. */
async function* hangingAfter(chunks: number) {
  for (let at = 0; at < chunks; at++) yield new Uint8Array([at]);
  await new Promise(() => {});
}

it("a source that hangs ends in the error, even after a reader that took longer than the time for a chunk", async () => {
  const chunks = chunksInTime(hangingAfter(2), { ms: 1_000, signal: undefined, late });
  expect((await chunks.next()).done).toBe(false);
  vi.advanceTimersByTime(5_000);
  expect((await chunks.next()).done).toBe(false);
  vi.advanceTimersByTime(5_000);
  const hanging = expect(chunks.next()).rejects.toThrow("late");
  await vi.advanceTimersByTimeAsync(1_000);
  await hanging;
  expect(vi.getTimerCount()).toBe(0);
});

it("an abort ends a source that hangs, and a reader that stops leaves no timer", async () => {
  const abort = new AbortController();
  const aborted = chunksInTime(hangingAfter(0), { ms: 1_000, signal: abort.signal, late });
  const hanging = expect(aborted.next()).rejects.toThrow("enough");
  abort.abort(new Error("enough"));
  await hanging;
  for await (const _ of chunksInTime(hangingAfter(1), { ms: 1_000, signal: undefined, late })) break;
  expect(vi.getTimerCount()).toBe(0);
});
