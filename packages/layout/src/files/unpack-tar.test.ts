import { execFileSync } from "node:child_process";
import { lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { digestBytes, MoteError } from "@mote/core";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { makeTree, readTree } from "../../test/file-trees.js";
import { UnpackLimits } from "../compression/unpack-limits.js";
import { paddedBytes, type TarType, writeTarHeader } from "../tar/tar-header.js";
import { StagedTree } from "./staged-tree.js";
import { type Unpacked, type UnpackTarOptions, unpackTar } from "./unpack-tar.js";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "mote-unpack-"));
  mkdirSync(join(dir, "into"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

interface Entry {
  readonly name: string;
  readonly type?: TarType;
  readonly text?: string;
  readonly link?: string;
  /** The type flag, for types other than these. */
  readonly flag?: string;
  readonly mode?: string;
  /** The size in the header, if it differs from the text's. */
  readonly size?: number;
}

function tar(...entries: readonly Entry[]): Uint8Array {
  return new Uint8Array(Buffer.concat([...entries.flatMap(entryBytes), new Uint8Array(1024)]));
}

function entryBytes({ name, type = "file", text = "", link = "", flag, mode, size }: Entry): Uint8Array[] {
  const header = writeTarHeader(name, size ?? text.length, type, link);
  const own = header.subarray(-512);
  if (flag !== undefined) own.set(new TextEncoder().encode(flag), 156);
  if (mode !== undefined) own.set(new TextEncoder().encode(mode), 100);
  own.fill(0x20, 148, 156);
  const sum = own.reduce((total, byte) => total + byte, 0);
  own.set(new TextEncoder().encode(`${sum.toString(8).padStart(6, "0")}\0 `), 148);
  const body = new Uint8Array(paddedBytes(text.length));
  body.set(new TextEncoder().encode(text));
  return [header, body];
}

async function unpack(bytes: Uint8Array, options: Partial<UnpackTarOptions> = {}): Promise<Unpacked> {
  writeFileSync(join(dir, "layer"), bytes);
  const into = join(dir, "into");
  const tree = new StagedTree(into);
  const unpacked = await unpackTar(join(dir, "layer"), tree, { title: "data", limits: new UnpackLimits(), ...options });
  await tree.makeLinks(into, "the artifact", {});
  return unpacked;
}

const refused = { code: "MOTE_INVALID_ARCHIVE" };

describe("the tar of a directory is unpacked", () => {
  it("with files, executables, directories and links, compressed or not", async () => {
    const bytes = tar(
      { name: "data/", type: "folder" },
      { name: "data/file", text: "one" },
      { name: "data/sub/program", text: "two", type: "program" },
      { name: "data/empty/", type: "folder" },
      { name: "data/sub/link", type: "link", link: "../file" },
      { name: "data/again", flag: "1", link: "data/file" },
    );
    const tree = {
      "data/again": { file: "one" },
      "data/empty": { folder: true },
      "data/file": { file: "one" },
      "data/sub/link": { link: "../file" },
      "data/sub/program": { program: "two" },
    };
    await unpack(bytes, { contentDigest: digestBytes(bytes) });
    expect(readTree(join(dir, "into"))).toEqual(tree);
    rmSync(join(dir, "into", "data"), { recursive: true });
    await unpack(new Uint8Array(gzipSync(bytes)), { contentDigest: digestBytes(bytes) });
    expect(readTree(join(dir, "into"))).toEqual(tree);
  });

  it("up to its end, and trailing bytes are only counted and hashed", async () => {
    const hidden = tar({ name: "data/a", text: "hidden" }, { name: "data/b", text: "hidden" });
    const bytes = new Uint8Array(Buffer.concat([tar({ name: "data/a", text: "shown" }), hidden]));
    await unpack(gzipSync(bytes), { contentDigest: digestBytes(bytes) });
    expect(readTree(join(dir, "into"))).toEqual({ "data/a": { file: "shown" } });
    const limits = new UnpackLimits({ maxUnpackedBytes: bytes.byteLength - 1 });
    await expect(unpack(bytes, { limits })).rejects.toMatchObject({ code: "MOTE_TOO_LARGE" });
    const contentDigest = digestBytes(hidden);
    await expect(unpack(bytes, { contentDigest })).rejects.toMatchObject({ code: "MOTE_DIGEST_MISMATCH" });
  });

  it("in the GNU and pax formats of GNU tar, with names and links of any length", async () => {
    const long = `${"d".repeat(90)}/${"長".repeat(80)}/${"f".repeat(200)}`;
    const tree = { [`data/${long}`]: { file: "x" }, "data/link": { link: long } };
    makeTree(join(dir, "from"), tree);
    for (const format of ["gnu", "pax"]) {
      const bytes = execFileSync("tar", ["-c", `--format=${format}`, "-C", join(dir, "from"), "data"]);
      await unpack(new Uint8Array(bytes));
      expect(readTree(join(dir, "into"))).toEqual(tree);
      rmSync(join(dir, "into", "data"), { recursive: true });
    }
  });

  it("without setuid and similar bits, and with more than one chunk of bytes", async () => {
    const text = "x".repeat(3_000_001);
    await unpack(tar({ name: "data/big", text, mode: "0006777" }));
    expect(statSync(join(dir, "into/data/big")).mode & 0o7000).toBe(0);
    expect(readFileSync(join(dir, "into/data/big"), "utf8") === text).toBe(true);
  });

  it("with the last of several entries with the same name", async () => {
    await unpack(
      tar(
        { name: "data/a", text: "old" },
        { name: "data/hard", flag: "1", link: "data/a" },
        { name: "./data//a", text: "new" },
        { name: "data/b", text: "old" },
        { name: "data/b", type: "link", link: "a" },
        { name: "data/c", type: "link", link: "none" },
        { name: "data/c", text: "a file", type: "program" },
        { name: "data/d", type: "link", link: "none" },
        { name: "data/d", type: "link", link: "./a/" },
        { name: "data/hard", flag: "1", link: "data/hard" },
      ),
    );
    expect(readTree(join(dir, "into"))).toEqual({
      "data/a": { file: "new" },
      "data/b": { link: "a" },
      "data/c": { program: "a file" },
      "data/d": { link: "./a/" },
      "data/hard": { file: "old" },
    });
  });

  it("with links to each other, circular and dangling links, and links through a directory and back", async () => {
    const links = {
      "data/a": { link: "b" },
      "data/b": { link: "a" },
      "data/own": { link: "own" },
      "data/none": { link: "not/there" },
      "data/top": { link: "../data" },
      "data/all": { link: ".." },
      "data/back": { link: "sub/../file" },
      "data/sub/through": { link: "../top/sub/through/sub" },
    };
    const entries = Object.entries(links).map(([name, { link }]): Entry => ({ name, type: "link", link }));
    await unpack(tar({ name: "data/sub/", type: "folder" }, ...entries, { name: "data/file", text: "x" }));
    expect(readTree(join(dir, "into"))).toEqual({ ...links, "data/file": { file: "x" } });
  });

  it("directly below the top if that is its title", async () => {
    await unpack(tar({ name: "./", type: "folder" }, { name: "./file", text: "one" }), { title: "." });
    expect(readTree(join(dir, "into"))).toEqual({ file: { file: "one" } });
  });
});

describe("a tar is rejected", () => {
  const outside = [
    "/etc/file",
    "../file",
    "data/../../file",
    "other/file",
    "database/file",
    "..",
    "/",
    "C:/file",
    "data\\..\\file",
  ];
  it.each(outside)("with the name %s", async (name) => {
    await expect(unpack(tar({ name, text: "x" }))).rejects.toMatchObject(refused);
    expect(readdirSync(dir).sort()).toEqual(["into", "layer"]);
  });

  it.each([
    ["out", "../../.."],
    ["sub/out", "../../../etc"],
    ["sub/out", "../../data/../../etc"],
    ["sub/out", "none/../x"],
    ["out", "C:/file"],
    ["out", "..\\file"],
    ["out", "/etc/passwd"],
    ["out", "sub/../../x"],
  ])("with a symbolic link %s to %s", async (name, link) => {
    await expect(unpack(tar({ name: `data/${name}`, type: "link", link }))).rejects.toMatchObject(refused);
  });

  it.each([
    ["t/z", "../../..", "t/z/up", ".."],
    ["t/a/z", "..", "t/out", "a/z/../.."],
    ["t/a/z", "../../..", "t/out", "a/z/../x"],
    ["t/a/z", "../none", "t/out", "a/z/../../x"],
  ])("with a link %s to %s that is used by a link %s to %s", async (first, to, second, out) => {
    const folders = ["data/t/", "data/t/a/"].map((name): Entry => ({ name, type: "folder" }));
    const one: Entry = { name: `data/${first}`, type: "link", link: to };
    const other: Entry = { name: `data/${second}`, type: "link", link: out };
    for (const entries of [
      [one, other],
      [other, one],
    ]) {
      await expect(unpack(tar(...folders, ...entries))).rejects.toMatchObject(refused);
      rmSync(join(dir, "into", "data"), { recursive: true });
    }
  });

  it("with more entries, bytes or nested directories than allowed", async () => {
    const files = ["1", "2", "3"].map((name): Entry => ({ name: `data/${name}`, text: name }));
    const tooLarge = { code: "MOTE_TOO_LARGE" };
    const unpackWith = (limits: UnpackLimits) => unpack(tar(...files), { limits });
    await expect(unpackWith(new UnpackLimits({ maxEntries: 2 }))).rejects.toMatchObject(tooLarge);
    await expect(unpackWith(new UnpackLimits({ maxUnpackedBytes: 4095 }))).rejects.toMatchObject({
      ...tooLarge,
      message: expect.stringContaining("--max-unpacked"),
    });
    await expect(unpack(tar({ name: `data/${"d/".repeat(300)}f` }))).rejects.toMatchObject(refused);
    await expect(unpack(tar({ name: `data/${"n".repeat(256)}` }))).rejects.toMatchObject(refused);
    await expect(unpack(tar({ name: `data/${`${"n".repeat(200)}/`.repeat(21)}` }))).rejects.toMatchObject(refused);
  });

  it.each([".mote-0123456789abcdef", "sub/.mote-0123456789abcdef/file"])(
    "with the name %s, which is reserved for partial files",
    async (name) => {
      await expect(unpack(tar({ name: `data/${name}`, text: "x" }))).rejects.toMatchObject(refused);
    },
  );

  it("with a link as its top", async () => {
    await expect(unpack(tar({ name: "data", type: "link", link: "." }))).rejects.toMatchObject(refused);
  });

  it("with an entry below a link, before it or after it", async () => {
    const link: Entry = { name: "data/sub", type: "link", link: "." };
    const file: Entry = { name: "data/sub/file", text: "x" };
    await expect(unpack(tar(link, file))).rejects.toMatchObject(refused);
    await expect(unpack(tar(file, link))).rejects.toMatchObject(refused);
  });

  it("with a hard link that leads out, to a link, or to nothing", async () => {
    writeFileSync(join(dir, "secret"), "secret");
    const hard = (link: string): Entry => ({ name: "data/hard", flag: "1", link });
    for (const link of ["../secret", "/etc/passwd", "data/none", "other/file", "data"]) {
      await expect(unpack(tar(hard(link)))).rejects.toMatchObject(refused);
    }
    await expect(unpack(tar({ name: "data/a", type: "link", link: "b" }, hard("data/a")))).rejects.toMatchObject(
      refused,
    );
  });

  it.each(["3", "4", "6", "S", "V"])("with an entry of type %s", async (flag) => {
    await expect(unpack(tar({ name: "data/device", flag }))).rejects.toMatchObject(refused);
  });

  it("with a file below a file, a file in place of a directory, or the reverse", async () => {
    const file: Entry = { name: "data/file", text: "x" };
    const below: Entry = { name: "data/file/below", text: "x" };
    const folder: Entry = { name: "data/file/", type: "folder" };
    const link: Entry = { name: "data/file", type: "link", link: "other" };
    for (const [one, other] of [
      [file, below],
      [below, file],
      [folder, file],
      [file, folder],
      [folder, link],
      [link, folder],
      [link, below],
    ] as const) {
      await expect(unpack(tar(one, other))).rejects.toMatchObject(refused);
      rmSync(join(dir, "into", "data"), { recursive: true });
    }
  });

  it("with wrong sizes, cut in a block or after the headers of an entry, or with damaged compression", async () => {
    const good = tar({ name: "data/file", text: "one" });
    await expect(unpack(tar({ name: "data/small", text: "x", size: 5000 }))).rejects.toMatchObject(refused);
    await expect(unpack(tar({ name: "data/large", text: "x", size: 5_000_000 }))).rejects.toMatchObject(refused);
    for (const end of [1, 511, 512, 515, 1023, 1025]) {
      await expect(unpack(good.subarray(0, end))).rejects.toMatchObject(refused);
    }
    const packed = new Uint8Array(gzipSync(good));
    await expect(unpack(packed.subarray(0, packed.byteLength - 6))).rejects.toMatchObject(refused);
    await expect(unpack(new Uint8Array([0x28, 0xb5, 0x2f, 0xfd, 0]))).rejects.toMatchObject(refused);
  });

  it("with another digest than the manifest has", async () => {
    const bytes = tar({ name: "data/file", text: "one" });
    const contentDigest = digestBytes(new Uint8Array(1));
    await expect(unpack(bytes, { contentDigest })).rejects.toMatchObject({ code: "MOTE_DIGEST_MISMATCH" });
  });

  it("or unpacked below its title, for any bytes", async () => {
    const good = tar(
      { name: "data/a", text: "one" },
      { name: "data/b", type: "link", link: "a" },
      { name: "data/c", flag: "1", link: "data/a" },
    );
    const change = fc.tuple(fc.nat(good.byteLength - 1025), fc.integer({ min: 0, max: 255 }));
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 6 }), fc.boolean(), async (changes, mendSums) => {
        const bytes = good.slice();
        for (const [at, value] of changes) bytes[at] = value;
        if (mendSums) for (const at of [0, 1024, 1536]) mendSum(bytes.subarray(at, at + 512));
        const code = await unpack(bytes).then(
          () => undefined,
          (error: unknown) => (MoteError.isInstance(error) ? error.code : error),
        );
        expect([undefined, "MOTE_INVALID_ARCHIVE"]).toContain(code);
        expect(readdirSync(dir).sort()).toEqual(["into", "layer"]);
        expect(readdirSync(join(dir, "into"))).toEqual(["data"]);
        expect(lstatSync(join(dir, "into/data")).isDirectory()).toBe(true);
        rmSync(join(dir, "into", "data"), { recursive: true });
      }),
      { numRuns: 500 },
    );
  });
});

it("rejects with the reason of the signal when aborted", async () => {
  const reason = new Error("enough");
  await expect(unpack(tar({ name: "data/a", text: "x" }), { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
});

function mendSum(header: Uint8Array): void {
  header.fill(0x20, 148, 156);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.set(new TextEncoder().encode(`${sum.toString(8).padStart(6, "0")}\0 `), 148);
}
