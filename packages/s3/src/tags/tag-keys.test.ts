import { describe, expect, it } from "vitest";
import { longNameGroup, tagKey, tagKeyBefore, tagKeyPrefix } from "./tag-keys.js";

const alphabet = [
  "a",
  "b",
  "/",
  ".",
  "-",
  "0",
  ":",
  "@",
  "A",
  "_",
  "~",
  "!",
  " ",
  "=",
  "^",
  "`",
  "[",
  "{",
  "é",
  "\ud83d",
  "\udc7e",
  "\uffee",
  ";",
];

/** Generates names that depend only on the seed. */
function names(count: number, longest: number): string[] {
  let state = 1;
  const next = (below: number) => {
    state = (state * 48_271) % 2_147_483_647;
    return state % below;
  };
  return Array.from({ length: count }, () =>
    Array.from({ length: 1 + next(longest) }, () => alphabet[next(alphabet.length)]).join(""),
  );
}

describe("the keys of tags", () => {
  it("can be read by people", () => {
    expect(tagKey("docker.io/library/alpine:3.20")).toBe("=docker.io/=library/=alpine:3.20!");
    expect(tagKey("../a//b c")).toBe("=../=a/=/=b!20c!");
    expect(tagKey("é")).toBe("=~00e9!");
  });

  it("are different for different names, and in their order", () => {
    const sorted = [...new Set(names(3000, 6))].sort();
    const keys = sorted.map(tagKey);
    expect(new Set(keys).size).toBe(sorted.length);
    expect([...keys].sort()).toEqual(keys);
  });

  it("have no segment that is empty or made of dots, and do not end in a digest", () => {
    for (const name of ["..", ".", "/", "//", "a/..", "../..", `sha256:${"0".repeat(64)}`, ...names(500, 8)]) {
      for (const segment of tagKey(name).split("/")) expect(segment).toMatch(/^=/);
      expect(tagKey(name)).toMatch(/!$/);
    }
  });

  it("are short for names of any length, with the order of their beginnings", () => {
    const long = names(300, 40).map((name, at) => name.padEnd(600, alphabet[at % 7] ?? "a"));
    const all = [
      ...new Set([
        ...long,
        ..."é/a.~".split("").map((char) => char.repeat(4096)),
        ...long.map((name) => name.slice(0, 170)),
      ]),
    ].sort();
    for (const name of all) {
      const key = tagKey(name);
      expect(Buffer.byteLength(key)).toBeLessThanOrEqual(700);
      for (const segment of key.split("/")) expect(segment.length).toBeLessThanOrEqual(250);
    }
    const keys = all.map(tagKey);
    expect(new Set(keys).size).toBe(all.length);
    // Those with the same beginning are sorted when they are listed.
    const groups = keys.map((key) => {
      const group = longNameGroup(key);
      return group === undefined ? key : `${group}~~`;
    });
    expect([...groups].sort()).toEqual(groups);
  });

  it("begin as the prefix of their name says, and follow the key before them", () => {
    const all = [...names(300, 5), "x".repeat(400), `${"x".repeat(400)}y`, "é".repeat(300)];
    for (const name of all) {
      for (const length of [0, 1, 2, name.length])
        expect(tagKey(name).startsWith(tagKeyPrefix(name.slice(0, length)))).toBe(true);
      for (const other of all.slice(0, 60)) {
        if (other > name) expect(tagKey(other) > tagKeyBefore(name)).toBe(true);
        if (tagKey(other) <= tagKeyBefore(name)) expect(other <= name).toBe(true);
      }
    }
  });
});
