import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { uncompressedBlob } from "@mote/layout";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { applyTarDiff, makeTarDiff, OldFiles } from "../src/index.js";
import { sampleContent } from "./sample-content.js";
import { inChunks, joined, type TarEntry, tarBytes } from "./tar-bytes.js";

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "mote-tar-diff-"));
});
afterAll(async () => {
  expect(await readdir(dir)).toEqual([]);
  await rm(dir, { recursive: true });
});

const uncompress = (zstd: AsyncIterable<Uint8Array>) => uncompressedBlob(zstd, "the delta");

function openOld(...layers: readonly Uint8Array[]): Promise<OldFiles> {
  return OldFiles.open(
    layers.map((layer) => () => inChunks(layer)),
    { dir },
  );
}

async function makeAndApply(old: OldFiles, tar: Uint8Array, options: { windowBytes?: number } = {}) {
  const diff = await joined(makeTarDiff(() => inChunks(tar), old, options));
  const applied = await joined(applyTarDiff(inChunks(diff), old, { maxBytes: tar.byteLength, uncompress }));
  return { diff, applied };
}

interface Edit {
  readonly kind: "insert" | "delete" | "change" | "move";
  readonly at: number;
  readonly length: number;
  readonly bytes: Uint8Array;
}

function edited(content: Uint8Array, { kind, at, length, bytes }: Edit): Uint8Array {
  const start = Math.floor(at * content.byteLength);
  const end = Math.min(content.byteLength, start + length);
  const before = content.subarray(0, start);
  const part = content.subarray(start, end);
  const after = content.subarray(end);
  if (kind === "insert") return Buffer.concat([before, bytes, part, after]);
  if (kind === "delete") return Buffer.concat([before, after]);
  if (kind === "move") return Buffer.concat([part, before, after]);
  const changed = content.slice();
  changed.set(bytes.subarray(0, changed.byteLength - start), start);
  return changed;
}

const path = fc.constantFrom("a", "usr/lib/x-1.2.so", "usr/lib/x-1.3.so", "b/a", "usr/lib/x", "c".repeat(150));
const content = fc.oneof(
  fc.uint8Array({ maxLength: 40 }),
  fc
    .record({ bytes: fc.integer({ max: 40_000, min: 0 }), seed: fc.integer({ min: 1, max: 3 }) })
    .map(({ bytes, seed }) => sampleContent(bytes, seed)),
  fc.integer({ min: 1, max: 5000 }).map((bytes) => new Uint8Array(bytes)),
);
const files = fc.dictionary(path, content, { maxKeys: 5 });
const edits = fc.array(
  fc.record({
    file: fc.nat(),
    kind: fc.constantFrom("insert", "delete", "change", "move"),
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    length: fc.integer({ min: 1, max: 5000 }),
    bytes: fc.uint8Array({ minLength: 1, maxLength: 30 }),
    path: fc.option(path),
  }),
  { maxLength: 5 },
);

const tarOf = (tree: Readonly<Record<string, Uint8Array>>) =>
  tarBytes(Object.entries(tree).map(([each, bytes]): TarEntry => ({ path: each, content: bytes })));

describe("a tar-diff", () => {
  it("makes the same bytes again, for all trees, edits and windows", async () => {
    await fc.assert(
      fc.asyncProperty(files, edits, fc.constantFrom(600, 5000, 4_194_304), async (before, changes, windowBytes) => {
        const after = { ...before };
        for (const change of changes) {
          const paths = Object.keys(after);
          const chosen = paths[change.file % paths.length];
          if (chosen === undefined) break;
          after[change.path ?? chosen] = edited(after[chosen] ?? new Uint8Array(0), change as Edit);
        }
        await using old = await openOld(tarOf(before));
        const tar = tarOf(after);
        const { applied } = await makeAndApply(old, tar, { windowBytes });
        expect(applied.equals(tar)).toBe(true);
      }),
      { numRuns: 60 },
    );
  }, 300_000);

  it("makes any bytes again, even if they are not a tar", async () => {
    await using old = await openOld(tarBytes([{ path: "a", content: sampleContent(50_000) }]));
    for (const bytes of [
      new Uint8Array(0),
      Uint8Array.of(1),
      sampleContent(100_000, 2),
      tarBytes([]).subarray(0, 700),
    ]) {
      const { applied } = await makeAndApply(old, bytes);
      expect(applied.equals(bytes)).toBe(true);
    }
  });

  it("costs little where files were changed, moved between files, or renamed", async () => {
    const [one, other, third] = [sampleContent(300_000, 1), sampleContent(200_000, 2), sampleContent(100_000, 3)];
    await using old = await openOld(
      tarBytes([
        { path: "lib/one.so.1.2", content: one },
        { path: "lib/other", content: other },
        { path: "lib/third", content: third },
      ]),
    );
    const joinedFiles = Buffer.concat([one.subarray(100_000), other.subarray(0, 100_000)]);
    const changed = one.slice();
    for (let at = 1000; at < changed.byteLength; at += 500) changed[at] = (changed[at] ?? 0) + 1;
    const tar = tarBytes([
      { path: "lib/one.so.1.3", content: changed },
      { path: "elsewhere", content: joinedFiles },
      { path: "moved/third-one", content: third },
    ]);
    const { diff, applied } = await makeAndApply(old, tar);
    expect(applied.equals(tar)).toBe(true);
    expect(diff.byteLength).toBeLessThan(4000);
    const between = makeAndApply(old, tarBytes([{ path: "lib/other", content: third }]));
    const again = makeAndApply(old, tar);
    expect((await between).diff.byteLength).toBeLessThan(4000);
    // Neither a diff at the same time nor one before changes it.
    expect((await again).diff.equals(diff)).toBe(true);
    expect((await makeAndApply(old, tar)).diff.equals(diff)).toBe(true);
  });

  it("that is abandoned after any of its chunks does not change the next one", async () => {
    await using old = await openOld(tarBytes([{ path: "a", content: sampleContent(50_000) }]));
    const noise = Buffer.from(Array.from({ length: 800_000 }, (_, at) => Math.imul(at, 0x9e3779b1) >>> 24));
    const tar = tarBytes([{ path: "b", content: noise }]);
    const make = () => makeTarDiff(() => inChunks(tar), old, { windowBytes: 5000 });
    const whole = await joined(make());
    for (const left of [1, 2, 3]) {
      let read = 0;
      for await (const _ of make()) if (++read === left) break;
      expect(read).toBe(left);
      expect((await joined(make())).equals(whole)).toBe(true);
    }
  });
});
