import { expect, it, vi } from "vitest";
import { readSample } from "./sample.js";

let nowMs = 0;
vi.spyOn(performance, "now").mockImplementation(() => nowMs);

async function* arriving(...chunks: readonly (readonly [afterMs: number, bytes: number])[]) {
  for (const [afterMs, bytes] of chunks) {
    nowMs += afterMs;
    yield new Uint8Array(bytes);
  }
}

it("the rate is that of the second half, because a connection is slow at its start", async () => {
  const chunks = arriving([200, 1000], [200, 1000], [200, 2000], [50, 2000], [50, 2000]);
  expect(await readSample(chunks, 8000)).toMatchObject({ bytes: { byteLength: 8000 }, bytesPerSecond: 40_000 });
});

it("the rate is unknown if the second half arrives at once, or not at all", async () => {
  for (const chunks of [arriving([100, 4000], [100, 4000]), arriving([100, 1000]), arriving()]) {
    const { bytesPerSecond } = await readSample(chunks, 10_000);
    expect(bytesPerSecond).toBe(Number.POSITIVE_INFINITY);
  }
});
