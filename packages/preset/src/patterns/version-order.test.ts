import { expect, it } from "vitest";
import { compareVersions } from "./version-order.js";

it("versions are ordered by their numbers, a pre-release before its release, other tags first", () => {
  const ordered = [
    "edge",
    "latest",
    "0.9",
    "v1.0.0-alpha",
    "1.0.0-alpha.1",
    "1.0.0-beta.2",
    "1.0.0-beta.11",
    "v1.0.0-rc2",
    "1.0.0-rc10",
    "1.0.0",
    "v1.2",
    "v1.2.1",
    "1.10",
    "3.20-alpine",
    "3.20",
    "20240101",
    "999999999999999999999999999",
  ];
  expect([...ordered].reverse().sort(compareVersions)).toEqual(ordered);
  expect(compareVersions("1.0", "1.0")).toBe(0);
  expect(compareVersions("1.0+a", "1.0+a")).toBe(0);
});
