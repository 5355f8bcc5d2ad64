import { describe, expect, it } from "vitest";
import { offsetAfter, reportedBytes } from "./upload-range.js";

describe("the Range of an upload", () => {
  it("is the last stored byte, in every notation", () => {
    for (const range of ["0-9", "bytes=0-9", "bytes 0-9", "bytes 0-9/*", "Bytes=0-9", " 0-9 "]) {
      expect([range, reportedBytes(range)]).toEqual([range, 10]);
    }
    expect(reportedBytes("0-0")).toBe(0);
    for (const range of [undefined, "", "0--1", "bytes=0--1", "5-9", "0-", "none", "0-9,20-29"]) {
      expect([range, reportedBytes(range)]).toEqual([range, undefined]);
    }
  });

  it("is valid after a chunk only within that chunk", () => {
    for (const [range, goesOnAt] of [
      // The chunk was bytes 100 to 199.
      ["0-199", 200],
      ["bytes=0-199", 200],
      ["0-149", 150],
      // Outside the chunk: that of the first chunk, none, or relative to the last chunk.
      ["0-99", 200],
      ["0-49", 200],
      ["0-0", 200],
      ["100-199", 200],
      // Off by one in either direction.
      ["0-200", 200],
      ["0-198", 200],
      // More than was sent.
      ["0-999", 200],
      ["", 200],
      [undefined, 200],
      ["nonsense", 200],
    ] as const) {
      expect([range, offsetAfter(range, 100, 200)]).toEqual([range, goesOnAt]);
    }
  });
});
