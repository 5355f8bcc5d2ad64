import { expect, it } from "vitest";
import { namePattern } from "./name-pattern.js";

it("a pattern matches a complete name or its end after a slash, and plain text matches any part", () => {
  const name = "docker.io/library/alpine:3.20";
  for (const pattern of ["alpine", "3.20", "alpine:*", "docker.io/*", "*:3.2?", "library/*", "*"]) {
    expect([pattern, namePattern(pattern)(name)]).toEqual([pattern, true]);
  }
  for (const pattern of ["debian", "alpine:*0.1", "pine:*", "docker?io", "alpine*3-20"]) {
    expect([pattern, namePattern(pattern)(name)]).toEqual([pattern, false]);
  }
});

it("a pattern with many stars terminates on a long name", () => {
  const pattern = `${"*a".repeat(200)}*b`;
  expect(namePattern(pattern)("a".repeat(4096))).toBe(false);
  expect(namePattern(pattern)(`${"a".repeat(4095)}b`)).toBe(true);
});
