import { expect, it } from "vitest";
import { badLine, readList } from "./sync-list.js";

it("a list has a reference and at most a name in each line, and comments", () => {
  const text = "\uFEFF# images\r\nghcr.io/acme/app:1 # newest\r\n\n  alpine:3.20\tbase/alpine:3.20  \nx#y:1\n";
  expect(readList(text)).toEqual([
    { line: 2, source: "ghcr.io/acme/app:1" },
    { line: 4, source: "alpine:3.20", name: "base/alpine:3.20" },
    { line: 5, source: "x#y:1" },
  ]);
});

it("an error names the line", () => {
  const [first, second] = readList("a:1\n\na:1 b:1 c:1\n");
  expect(first?.error).toBeUndefined();
  expect(second?.error).toMatchObject({ code: "MOTE_INVALID_REFERENCE", details: { line: 3 } });
  expect(badLine(7, new Error("why")).message).toContain("line 7");
});

it("a list is limited", () => {
  expect(() => readList("\n".repeat(100_001))).toThrow(expect.objectContaining({ code: "MOTE_TOO_LARGE" }));
});

it("a file that is not text is one error", () => {
  expect(() => readList("a\0b\nc\n")).toThrow(expect.objectContaining({ code: "MOTE_INVALID_REFERENCE" }));
});
