import { afterEach, describe, expect, it, vi } from "vitest";
import { makeTarDiff } from "../src/index.js";
import { Matcher, type Piece } from "../src/tar-diff/matcher.js";
import { inChunks, joined, tarBytes } from "./tar-bytes.js";

afterEach(() => {
  vi.restoreAllMocks();
});

function noise(bytes: number): Buffer {
  let state = 1;
  return Buffer.from(
    Array.from({ length: bytes }, () => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return state >>> 24;
    }),
  );
}

/** Returns the bytes, and counts how often one of them is read. */
function counted(bytes: Uint8Array) {
  const count = { reads: 0 };
  const proxy = new Proxy(bytes, {
    get(target, key) {
      count.reads++;
      return Reflect.get(target, key);
    },
  });
  return { proxy, count };
}

function matcherOf(...contents: readonly Uint8Array[]): { matcher: Matcher<Piece>; pieces: readonly Piece[] } {
  const matcher = new Matcher<Piece>(contents.reduce((sum, { byteLength }) => sum + byteLength, 0));
  const pieces: Piece[] = [];
  for (const content of contents) {
    const start = pieces.at(-1)?.end ?? 0;
    matcher.old.set(content, start);
    pieces.push({ start, end: start + content.byteLength });
  }
  for (const _ of matcher.index(pieces));
  return { matcher, pieces };
}

describe("the matcher", () => {
  it("compares a limited number of bytes for each position, if another place is slightly better", () => {
    const content = noise(32_768);
    const changed = Uint8Array.from(content);
    for (let at = 52; at < changed.byteLength; at += 52) changed[at] = (changed[at] ?? 0) ^ 1;
    const { matcher, pieces } = matcherOf(changed, content);
    const { proxy, count } = counted(content);
    const matches = [...matcher.match(proxy, 0)].filter((match) => match !== undefined);
    expect(count.reads).toBeLessThan(content.byteLength * 60);
    expect(matches.reduce((sum, { length }) => sum + length, 0)).toBe(content.byteLength);
    expect(matches.map(({ piece }) => piece)).toContain(pieces[0]);
  });

  it("says in which piece a match is", () => {
    const content = noise(3000);
    const parts = [content.subarray(0, 1000), content.subarray(1000, 2000), content.subarray(2000)] as const;
    const { matcher, pieces } = matcherOf(...parts);
    const fresh = Buffer.concat([parts[2], parts[0]]);
    const matches = [...matcher.match(fresh, undefined)].filter((match) => match !== undefined);
    expect(matches).toEqual([
      { fresh: 0, old: 2000, length: 1000, piece: pieces[2] },
      { fresh: 1000, old: 0, length: 1000, piece: pieces[0] },
    ]);
  });

  it("finds a place at the same position, without a guess and after the end of a piece", () => {
    const content = noise(3000);
    const [first, second] = [content.subarray(0, 2000), content.subarray(2000)];
    const { matcher, pieces } = matcherOf(first, second);
    const found = (start: number | undefined) =>
      [...matcher.match(content, start)].flatMap((match) => match ?? []).map(({ fresh, piece }) => [fresh, piece]);
    expect(found(undefined)).toEqual([
      [0, pieces[0]],
      [2000, pieces[1]],
    ]);
    expect(found(0)).toEqual(found(undefined));
  });

  it("stops at the next turn after an abort", async () => {
    const reason = new Error("enough");
    const controller = new AbortController();
    const bytes = noise(100_000);
    const old = {
      path: "a",
      size: bytes.byteLength,
      read: async (at: number, length: number) => bytes.subarray(at, at + length),
    };
    const files = {
      [Symbol.iterator]: () => [old].values(),
      get() {
        controller.abort(reason);
        return old;
      },
    };
    const match = vi.spyOn(Matcher.prototype, "match");
    const tar = tarBytes([{ path: "a", content: Buffer.concat([bytes, bytes.subarray(7)]) }]);
    const options = { signal: controller.signal };
    await expect(joined(makeTarDiff(() => inChunks(tar), files, options))).rejects.toBe(reason);
    expect(match).not.toHaveBeenCalled();
  });
});
