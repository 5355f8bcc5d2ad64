import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { uncompressedBlob } from "@mote/layout";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { applyTarDiff, builtInEncoders, makeTarDiff, OldFiles } from "../src/index.js";
import { operations, tarDiffMagic, varint } from "../src/tar-diff/operations.js";
import { sampleContent } from "./sample-content.js";
import { inChunks, joined, tarBytes } from "./tar-bytes.js";

let dir: string;
let old: OldFiles;
const content = sampleContent(100_000);
const { data, open, copy, addData, seek } = operations;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "mote-hostile-"));
  old = await openLayers(tarBytes([{ path: "etc/passwd", content }]));
});
afterAll(async () => {
  await old[Symbol.asyncDispose]();
  await rm(dir, { recursive: true });
});

function openLayers(...layers: readonly Uint8Array[]): Promise<OldFiles> {
  return OldFiles.open(
    layers.map((layer) => () => inChunks(layer)),
    { dir },
  );
}

type Operation = readonly [kind: number, size: number, bytes?: string | Uint8Array];
const encoded = (list: readonly Operation[]) =>
  Buffer.concat(
    list.flatMap(([kind, size, bytes = ""]) => [Uint8Array.of(kind, ...varint(size)), Buffer.from(bytes as string)]),
  );

async function diffOf(bytes: Uint8Array | AsyncIterable<Uint8Array>): Promise<Buffer> {
  await using encoders = builtInEncoders();
  const encoder = encoders.list.find(({ name }) => name.startsWith("zstd:"));
  if (encoder === undefined) throw new Error("there is no encoder of zstd");
  const stream = bytes instanceof Uint8Array ? inChunks(bytes) : bytes;
  return Buffer.concat([Buffer.from("tardf1\n\0"), await joined(encoder.encode(stream))]);
}

const apply = (diff: Uint8Array, maxBytes = 1_000_000) =>
  joined(applyTarDiff(inChunks(diff), old, { maxBytes, uncompress: (zstd) => uncompressedBlob(zstd, "the delta") }));

/** Applies a diff that repeats the chunk. Returns how many chunks are read before it is rejected. */
async function chunksUntilTooLarge(chunk: Uint8Array, files: Parameters<typeof applyTarDiff>[1]): Promise<number> {
  let chunks = 0;
  async function* bomb() {
    for (; chunks < 200; chunks++) yield chunk;
  }
  const diff = Buffer.concat([tarDiffMagic, Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd)]);
  const applied = applyTarDiff(inChunks(diff), files, { maxBytes: 1e9, uncompress: bomb });
  await expect(joined(applied)).rejects.toMatchObject({ code: "MOTE_TOO_LARGE" });
  return chunks;
}

describe("a tar-diff from elsewhere", () => {
  it("is applied operation by operation", async () => {
    const diff = await diffOf(
      encoded([
        [open, 13, "./etc//passwd"],
        [seek, 1000],
        [copy, 50],
        [addData, 3, Uint8Array.of(1, 255, 0)],
        [data, 3, "end"],
        [copy, 2],
        [seek, 0],
        [copy, content.byteLength],
      ]),
    );
    const added = Uint8Array.from(content.subarray(1050, 1053));
    added[0] = (added[0] ?? 0) + 1;
    added[1] = (added[1] ?? 0) + 255;
    const expected = [content.subarray(1000, 1050), added, Buffer.from("end"), content.subarray(1053, 1055), content];
    expect((await apply(diff)).equals(Buffer.concat(expected))).toBe(true);
  });

  it.each<[string, readonly Operation[]]>([
    ["a path that leads out", [[open, 19, "../../../etc/passwd"]]],
    ["a file that the old image does not have", [[open, 10, "etc/shadow"]]],
    ["a path that is too long", [[open, 5000, "a".repeat(5000)]]],
    ["a copy without a file", [[copy, 1]]],
    [
      "a position beyond the end of a file",
      [
        [open, 10, "etc/passwd"],
        [seek, 100_001],
      ],
    ],
    [
      "a copy beyond the end of a file",
      [
        [open, 10, "etc/passwd"],
        [seek, 99_999],
        [copy, 2],
      ],
    ],
    [
      "differences beyond the end of a file",
      [
        [open, 10, "etc/passwd"],
        [seek, 100_000],
        [addData, 1, "a"],
      ],
    ],
    ["an operation that does not exist", [[9, 0]]],
    ["data that ends early", [[data, 100, "short"]]],
  ])("is rejected with %s", async (_, list) => {
    await expect(apply(await diffOf(encoded(list)))).rejects.toMatchObject({ code: "MOTE_INVALID_ARCHIVE" });
  });

  it("is rejected with a size that is not a safe integer, or never ends", async () => {
    for (const size of [[...Array(8).fill(0xff), 0x01], Array(5000).fill(0x80)]) {
      const diff = await diffOf(Uint8Array.of(data, ...size));
      await expect(apply(diff)).rejects.toMatchObject({ code: "MOTE_INVALID_ARCHIVE" });
    }
  });

  it("is rejected if it is truncated anywhere, or does not begin as one", async () => {
    const diff = await diffOf(
      encoded([
        [data, 10, "0123456789"],
        [open, 10, "etc/passwd"],
        [copy, 5],
      ]),
    );
    for (let end = 0; end < diff.byteLength; end++) {
      await expect(apply(diff.subarray(0, end))).rejects.toMatchObject({ code: "MOTE_INVALID_ARCHIVE" });
    }
    for (const start of ["tardf2\n\0", "gzip"]) {
      const other = Buffer.concat([Buffer.from(start), diff.subarray(start.length)]);
      await expect(apply(other)).rejects.toMatchObject({ code: "MOTE_INVALID_ARCHIVE" });
    }
  });

  it("ends early if the content is too large, whether it is copied or stored", async () => {
    const copies = Array.from({ length: 1000 }, (): Operation[] => [
      [seek, 0],
      [copy, 100_000],
    ]).flat();
    await expect(apply(await diffOf(encoded([[open, 10, "etc/passwd"], ...copies])))).rejects.toMatchObject({
      code: "MOTE_TOO_LARGE",
    });
    await expect(apply(await diffOf(encoded([[data, 2_000_000, "a"]])))).rejects.toMatchObject({
      code: "MOTE_TOO_LARGE",
    });
  });

  it.each<[string, Operation]>([
    ["store nothing", [data, 0]],
    ["copy nothing", [copy, 0]],
    ["open files", [open, 10, "etc/passwd"]],
    ["seek", [seek, 7]],
  ])("ends early if its operations only %s", async (_, operation) => {
    const chunk = encoded([[open, 10, "etc/passwd"], ...Array.from({ length: 5000 }, () => operation)]);
    expect(await chunksUntilTooLarge(chunk, old)).toBeLessThanOrEqual(3);
  });

  it("ends early if it reads single bytes in many places", async () => {
    const places = Array.from({ length: 5000 }, (_, at): Operation[] => [
      [seek, (at % 2) * 90_000],
      [copy, 1],
    ]);
    const chunk = encoded([[open, 10, "etc/passwd"], ...places.flat()]);
    const read = async (position: number, length: number) => content.subarray(position, position + length);
    const files = { get: (path: string) => ({ path, size: content.byteLength, read }) };
    expect(await chunksUntilTooLarge(chunk, files)).toBeLessThan(30);
  });

  it("may open a file and seek before each byte", async () => {
    const list = Array.from({ length: 6000 }, (_, at): Operation[] => [
      [open, 10, "etc/passwd"],
      [seek, at],
      [copy, 1],
    ]);
    expect((await apply(await diffOf(encoded(list.flat())))).equals(content.subarray(0, 6000))).toBe(true);
  });

  it("can be aborted", async () => {
    const reason = new Error("enough");
    const options = {
      maxBytes: 1e9,
      signal: AbortSignal.abort(reason),
      uncompress: (zstd: AsyncIterable<Uint8Array>) => uncompressedBlob(zstd, "it"),
    };
    const diff = await diffOf(encoded([[data, 1, "a"]]));
    await expect(joined(applyTarDiff(inChunks(diff), old, options))).rejects.toBe(reason);
    await expect(joined(makeTarDiff(() => inChunks(content), old, options))).rejects.toBe(reason);
  });
});

describe("the old files", () => {
  const file = (path: string, text = path) => ({ path, content: Buffer.from(text) });

  it("are those of all layers, with whiteouts applied", async () => {
    await using files = await openLayers(
      tarBytes([
        file("./a/1"),
        file("/a/2"),
        file("b/1"),
        file("c/d/1"),
        file("c/d2"),
        file("e", "lower"),
        file("f/1"),
        file("g"),
      ]),
      tarBytes([
        file("a/.wh.1", ""),
        file("b/.wh..wh..opq", ""),
        file("b/2"),
        file("c/.wh.d", ""),
        file("e", "upper"),
        { path: "f", type: "2" },
        { path: "g/", type: "5" },
      ]),
    );
    expect([...files].map(({ path }) => path).sort()).toEqual(["a/2", "b/2", "c/d2", "e", "g"]);
    expect(Buffer.from((await files.get("e")?.read(0, 100)) ?? []).toString()).toBe("upper");
    expect(files.get("a/1")).toBeUndefined();
  });

  it("have no paths that lead out, and long names", async () => {
    const long = `${"d/".repeat(80)}file`;
    await using files = await openLayers(tarBytes([file("../x"), file("a/../../y"), file(long, "long"), file("z/")]));
    expect([...files].map(({ path }) => path)).toEqual([long]);
  });

  it("are read after a sparse file whose header continues, and none from its content", async () => {
    const map = new Uint8Array(512).fill(0x30);
    map[504] = 1;
    const inside = tarBytes([file("inside")]).subarray(0, 1024);
    const tar = Buffer.from(tarBytes([{ path: "sparse", type: "S", content: inside }, file("after")]));
    tar[482] = 1;
    // The checksum is one more.
    const sum = Number.parseInt(tar.subarray(148, 154).toString(), 8) + 1;
    tar.write(sum.toString(8).padStart(6, "0"), 148);
    const continued = Buffer.concat([tar.subarray(0, 512), map, new Uint8Array(512), tar.subarray(512)]);
    await using files = await openLayers(continued);
    expect([...files].map(({ path }) => path)).toEqual(["after"]);
  });

  it("end where a tar is damaged, and are bounded", async () => {
    const tar = Buffer.from(tarBytes([file("a"), file("b"), file("c")]));
    tar[1024 + 10] = 0x7f;
    await using files = await openLayers(tar);
    expect([...files].map(({ path }) => path)).toEqual(["a"]);
    const opening = OldFiles.open([() => inChunks(tarBytes([{ path: "a", content }]))], { dir, maxBytes: 99_999 });
    await expect(opening).rejects.toMatchObject({ code: "MOTE_TOO_LARGE" });
    expect(await readdir(dir)).toHaveLength(2);
  });
});
