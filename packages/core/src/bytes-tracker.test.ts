import { describe, expect, it } from "vitest";
import { BytesTracker } from "./bytes-tracker.js";
import { digestBytes } from "./digest.js";

const descriptor = (name: string, size: number) => ({ digest: digestBytes(new TextEncoder().encode(name)), size });

describe("BytesTracker", () => {
  it("starts at zero", () => {
    const { total, deduplicated } = new BytesTracker();
    expect([total, deduplicated]).toEqual([0, 0]);
  });

  it("counts all bytes in total and each digest once in deduplicated", () => {
    const tracker = new BytesTracker();
    for (const [name, size] of [
      ["a", 10],
      ["b", 5],
      ["a", 10],
      ["c", 0],
      ["a", 10],
    ] as const) {
      tracker.add(descriptor(name, size));
    }
    expect([tracker.total, tracker.deduplicated]).toEqual([35, 15]);
  });

  it("compares digests, not sizes", () => {
    const tracker = new BytesTracker();
    tracker.add(descriptor("a", 7));
    tracker.add(descriptor("b", 7));
    expect(tracker.deduplicated).toBe(14);
  });

  it("shares no state with other trackers", () => {
    const [one, two] = [new BytesTracker(), new BytesTracker()];
    one.add(descriptor("a", 7));
    expect(two.total).toBe(0);
  });
});
