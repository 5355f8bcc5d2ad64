import { expect, it } from "vitest";
import { glob, tagFilter } from "./glob.js";

it.each([
  ["*.bin", ["model.bin", ".bin"], ["weights/model.bin", "model.bin.txt"]],
  ["weights/*.safetensors", ["weights/a.safetensors"], ["weights/b/a.safetensors", "a.safetensors"]],
  ["**/*.json", ["a.json", "x/a.json", "x/y/a.json"], ["a.jsonl"]],
  ["x/**", ["x/a", "x/a/b"], ["y/a", "x"]],
  ["x/**/z", ["x/z", "x/y/z", "x/y/y/z"], ["xz", "x/yz"]],
  ["v?.[0-9]", ["v1.2", "vx.9"], ["v1.x", "v10.1"]],
  ["[!v]*", ["1.0", "a"], ["v1", ""]],
  ["[]-]", ["]", "-"], ["[", "a"]],
  ["{1,2{a,b}}.x", ["1.x", "2a.x", "2b.x"], ["2.x", "3.x"]],
  ["a{b}", ["a{b}"], ["ab"]],
  ["a[b", ["a[b"], ["ab"]],
  ["\\*\\{a,b\\}", ["*{a,b}"], ["xa"]],
  ["", [""], ["a"]],
])("the glob %s matches complete texts", (pattern, matching, others) => {
  expect(matching.filter((text) => !glob(pattern)(text))).toEqual([]);
  expect(others.filter(glob(pattern))).toEqual([]);
});

it("a glob with many stars and braces terminates", () => {
  expect(glob(`${"*a".repeat(100)}*b`)("a".repeat(2000))).toBe(false);
  expect(glob("{a,b}".repeat(40))("c")).toBe(false);
  expect(glob("**/".repeat(40))("c")).toBe(false);
});

it("a filter selects what matches a glob and none after a !, in any order", () => {
  const tags = ["v1.0", "v1.0-rc1", "v2.0", "v2.0-rc1", "latest", "team/v1.1"];
  expect(tags.filter(tagFilter(["v1.*", "!*-rc*"]))).toEqual(["v1.0"]);
  expect(tags.filter(tagFilter(["!*-rc*", "v1.*", "latest"]))).toEqual(["v1.0", "latest"]);
  expect(tags.filter(tagFilter(["!*-rc*"]))).toEqual(["v1.0", "v2.0", "latest", "team/v1.1"]);
  expect(tags.filter(tagFilter(["*v1*"]))).toEqual(["v1.0", "v1.0-rc1", "team/v1.1"]);
  expect(tags.filter(tagFilter([]))).toEqual(tags);
});
