import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { OldFiles } from "../src/index.js";
import { entryBytes, inChunks, type TarEntry, tarBytes } from "./tar-bytes.js";

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "mote-hostile-old-"));
});
afterAll(async () => {
  expect(await readdir(dir)).toEqual([]);
  await rm(dir, { recursive: true });
});

function openLayers(...layers: readonly (readonly TarEntry[])[]): Promise<OldFiles> {
  return OldFiles.open(
    layers.map((entries) => () => inChunks(tarBytes(entries))),
    { dir },
  );
}

const file = (path: string, content = Buffer.from(path)): TarEntry => ({ path, content });
const pathsOf = (files: OldFiles) => [...files].map(({ path }) => path).sort();

/** Returns how often a set is looked into while something is done. */
async function lookupsDuring(action: () => Promise<void>): Promise<number> {
  const { has } = Set.prototype;
  let lookups = 0;
  Set.prototype.has = function (this: Set<unknown>, value) {
    lookups++;
    return has.call(this, value);
  };
  try {
    await action();
  } finally {
    Set.prototype.has = has;
  }
  return lookups;
}

interface Bomb {
  readonly start?: Uint8Array;
  readonly chunk: Uint8Array;
  readonly maxBytes?: number;
  readonly above?: Uint8Array;
}

/** Opens a layer that repeats a chunk. Returns how many chunks are accepted before it is rejected. */
async function chunksUntilTooLarge({
  start = new Uint8Array(0),
  chunk,
  maxBytes,
  above = tarBytes([]),
}: Bomb): Promise<number> {
  let chunks = 0;
  async function* layer() {
    yield start;
    for (; chunks < 1000; chunks++) yield chunk;
  }
  await expect(OldFiles.open([layer, () => inChunks(above)], { dir, maxBytes })).rejects.toMatchObject({
    code: "MOTE_TOO_LARGE",
  });
  return chunks;
}

describe("the old files of a hostile image", () => {
  it("are each looked up once, however many layers there are", async () => {
    const [layers, perLayer, names] = [30, 50, 8];
    const image = Array.from({ length: layers }, (_, layer) =>
      Array.from({ length: perLayer }, (_, at) => file(`${"d/".repeat(names - 1)}${layer}-${at}`)),
    );
    const lookups = await lookupsDuring(async () => {
      await using files = await openLayers(...image);
      expect([...files]).toHaveLength(layers * perLayer);
    });
    expect(lookups).toBeLessThan(layers * perLayer * names * 2 * 2);
  });

  it("are not written to disk if a layer above hides them", async () => {
    const content = Buffer.alloc(100_000, 1);
    await using files = await openLayers(
      [file("a", content), file("b/c", content), file("d/e", content), file("f", content), file("g", content)],
      [file(".wh.a"), file("b/.wh..wh..opq"), { path: "d", type: "2" }, file("f", Buffer.from("upper"))],
    );
    expect(pathsOf(files)).toEqual(["f", "g"]);
    const [spool = ""] = await readdir(dir);
    expect((await stat(join(dir, spool))).size).toBe(content.byteLength + 5);
  });

  it("are hidden only by layers above", async () => {
    await using files = await openLayers(
      [file("a/1"), file("b")],
      [file("a/2"), file("a/.wh..wh..opq"), file("b", Buffer.from("middle")), file(".wh.c")],
      [file("c"), file("a/3"), file(".wh.x"), file("x")],
    );
    expect(pathsOf(files)).toEqual(["a/2", "a/3", "b", "c", "x"]);
    expect(files.get("b")?.size).toBe(6);
  });

  it("have at most 256 names in a path", async () => {
    const [deep, tooDeep] = [`${"d/".repeat(255)}f`, `${"e/".repeat(256)}f`];
    await using files = await openLayers([file(deep), file(tooDeep)]);
    expect(pathsOf(files)).toEqual([deep]);
  });

  it("have paths of limited length altogether", async () => {
    // Each counts as 32 entries or one more.
    const chunk = entryBytes(Array.from({ length: 200 }, (_, at) => file(`${at}`.padEnd(4096, "x"))));
    // They need not be remembered to be counted.
    const above = tarBytes([file(".wh..wh..opq")]);
    expect(await chunksUntilTooLarge({ chunk, above })).toBeLessThan(2_000_000 / 32 / 200);
  });

  it.each<[string, Uint8Array]>([
    ["after the end", tarBytes([])],
    ["in an entry of another type", entryBytes([{ path: "x", type: "V", size: 2 ** 30 }])],
    ["in a sparse file", entryBytes([{ path: "x", size: 2 ** 30, records: { "GNU.sparse.major": "1" } }])],
    ["in a file whose path is not valid", entryBytes([{ path: "../x", size: 2 ** 30 }])],
    ["in a file", entryBytes([{ path: "x", size: 2 ** 30 }])],
  ])("are rejected with too many bytes %s", async (_, start) => {
    const chunk = new Uint8Array(10_000);
    expect(await chunksUntilTooLarge({ start, chunk, maxBytes: 105_000 })).toBe(10);
  });

  it("are hidden by a sparse file under its own path", async () => {
    await using files = await openLayers(
      [file("a"), file("GNUSparseFile.1/a")],
      [{ path: "GNUSparseFile.1/a", records: { path: "GNUSparseFile.1/a", "GNU.sparse.name": "a" } }],
    );
    expect(pathsOf(files)).toEqual(["GNUSparseFile.1/a"]);
  });
});
