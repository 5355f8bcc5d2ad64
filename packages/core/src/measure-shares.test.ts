import { expect, it } from "vitest";
import { type Digest, digestBytes } from "./digest.js";
import { measureShares } from "./measure-shares.js";

const digest = (name: string): Digest => digestBytes(new TextEncoder().encode(name));
const sizes = new Map([
  [digest("a"), 1],
  [digest("b"), 10],
  [digest("c"), 100],
]);

it("measures what only one group has, counts duplicates once, and ignores what is not stored", () => {
  const groups = new Map([
    ["one", [digest("a"), digest("b"), digest("a"), digest("gone")]],
    ["two", [digest("b"), digest("c")]],
    ["none", []],
  ]);
  expect([...measureShares(groups, (each) => sizes.get(each))]).toEqual([
    ["one", { motes: 2, bytes: 11, unsharedBytes: 1 }],
    ["two", { motes: 2, bytes: 110, unsharedBytes: 100 }],
    ["none", { motes: 0, bytes: 0, unsharedBytes: 0 }],
  ]);
});
