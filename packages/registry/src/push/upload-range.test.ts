import { describe, expect, it } from "vitest";
import { offsetAfter, reportedBytes } from "./upload-range.js";

describe("the Range of an upload", () => {
  it("is the last byte that is there, in every spelling", () => {
    for (const range of ["0-9", "bytes=0-9", "bytes 0-9", "bytes 0-9/*", "Bytes=0-9", " 0-9 "]) {
      expect([range, reportedBytes(range)]).toEqual([range, 10]);
    }
    expect(reportedBytes("0-0")).toBe(0);
    for (const range of [undefined, "", "0--1", "bytes=0--1", "5-9", "0-", "none", "0-9,20-29"]) {
      expect([range, reportedBytes(range)]).toEqual([range, undefined]);
    }
  });

  it("counts after a piece only within that piece", () => {
    for (const [range, goesOnAt] of [
      // The piece was bytes 100 to 199.
      ["0-199", 200],
      ["bytes=0-199", 200],
      ["0-149", 150],
      // No part of the piece: stuck at the first one, or at none, or of the last piece only.
      ["0-99", 200],
      ["0-49", 200],
      ["0-0", 200],
      ["100-199", 200],
      // Off by one, either way.
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
