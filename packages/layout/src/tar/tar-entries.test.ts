import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MoteError } from "@mote/core";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type FileRange, readTarEntries } from "./tar-entries.js";
import { type TarContent, tarChunks } from "./tar-file.js";
import { paddedBytes, writeTarHeader } from "./tar-header.js";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "mote-tar-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const encode = (text: string) => new TextEncoder().encode(text);

async function entriesOf(bytes: Uint8Array): Promise<ReadonlyMap<string, FileRange>> {
  const path = join(dir, "archive.tar");
  writeFileSync(path, bytes);
  return entriesOfFile(path);
}

async function entriesOfFile(path: string): Promise<ReadonlyMap<string, FileRange>> {
  const handle = await open(path);
  try {
    return await readTarEntries(handle, path);
  } finally {
    await handle.close();
  }
}

async function codeOf(bytes: Uint8Array): Promise<unknown> {
  return entriesOf(bytes).then(
    (entries) => [...entries.keys()],
    (error: unknown) => (MoteError.isInstance(error) ? error.code : error),
  );
}

async function archive(files: Readonly<Record<string, string>>): Promise<Uint8Array> {
  const contents = new Map<string, TarContent>(
    Object.entries(files).map(([name, text]) => [name, { bytes: encode(text) }]),
  );
  const chunks: Uint8Array[] = [];
  for await (const chunk of tarChunks(contents, {})) chunks.push(chunk);
  return new Uint8Array(Buffer.concat(chunks));
}

const typeAt = 156;
const linkAt = 157;
const sizeAt = 124;

/** Returns an extended header with this record, followed by an entry. */
function extended(record: string, entry: Uint8Array): Uint8Array {
  // The length of a record includes itself.
  const digits = record.length < 90 ? 2 : 5;
  const records = `${record.length + digits + 2} ${record}\n`;
  const header = writeTarHeader("PaxHeader", records.length, "file");
  header.set(encode("x"), typeAt);
  const sum = header.reduce((total, byte, at) => total + (at >= 148 && at < 156 ? 0x20 : byte), 0);
  header.set(encode(`${sum.toString(8).padStart(6, "0")}\0 `), 148);
  const body = new Uint8Array(paddedBytes(records.length));
  body.set(encode(records));
  return new Uint8Array(Buffer.concat([header, body, entry]));
}

/** Returns an entry with some bytes of its header changed, and a valid checksum. */
function entry(name: string, text: string, changes: Readonly<Record<number, string>> = {}): Uint8Array {
  const header = writeTarHeader(name, text.length, "file");
  for (const [at, change] of Object.entries(changes)) header.set(encode(change), Number(at));
  header.fill(0x20, 148, 156);
  header.set(
    encode(
      `${header
        .reduce((sum, byte) => sum + byte, 0)
        .toString(8)
        .padStart(6, "0")}\0 `,
    ),
    148,
  );
  const body = new Uint8Array(paddedBytes(text.length));
  body.set(encode(text));
  return new Uint8Array(Buffer.concat([header, body]));
}

describe("the files of a tar", () => {
  it("are found at their offsets, for any names and sizes", async () => {
    const name = fc.stringMatching(/^[a-zé]{1,80}(\/[a-z]{1,120}){0,2}$/);
    await fc.assert(
      fc.asyncProperty(fc.dictionary(name, fc.string({ maxLength: 2000 }), { maxKeys: 8 }), async (files) => {
        const bytes = await archive(files);
        const entries = await entriesOf(bytes);
        const found = [...entries].map(([path, { offset, size }]) => [
          path,
          new TextDecoder().decode(bytes.subarray(offset, offset + size)),
        ]);
        expect(Object.fromEntries(found)).toEqual({ ...files });
      }),
      { numRuns: 60 },
    );
  });

  it("are the last entries of their names, even if GNU tar appended them or one is a link", async () => {
    const bytes = new Uint8Array(
      Buffer.concat([
        entry("index.json", "old"),
        entry("blobs/a", "first"),
        entry("hard", "", { [typeAt]: "1", [linkAt]: "blobs/a" }),
        entry("./index.json", "newer"),
        entry("soft", "x"),
        entry("soft", "", { [typeAt]: "2", [linkAt]: "index.json" }),
        entry("turned", "", { [typeAt]: "2", [linkAt]: "index.json" }),
        entry("turned", "file"),
        entry("blobs/a", "second"),
        entry("index.json", "newest"),
        new Uint8Array(1024),
      ]),
    );
    const found = [...(await entriesOf(bytes))].map(([path, { offset, size }]) => [
      path,
      new TextDecoder().decode(bytes.subarray(offset, offset + size)),
    ]);
    expect(Object.fromEntries(found)).toEqual({
      "blobs/a": "second",
      hard: "first",
      "index.json": "newest",
      soft: "newest",
      turned: "file",
    });
    const appended = join(dir, "appended.tar");
    for (const [flag, text] of [
      ["-c", "old"],
      ["-r", "newer"],
      ["-r", "the newest"],
    ] as const) {
      writeFileSync(join(dir, "index.json"), text);
      execFileSync("tar", [flag, "-f", appended, "-C", dir, "index.json"]);
    }
    const { offset, size } = (await entriesOfFile(appended)).get("index.json") ?? { offset: 0, size: 0 };
    expect(readFileSync(appended, "utf8").slice(offset, offset + size)).toBe("the newest");
  });

  it("written by GNU tar are read, and GNU tar reads the files written here", async () => {
    const long = `${"long/".repeat(30)}name`;
    mkdirSync(join(dir, "in", "long/".repeat(30)), { recursive: true });
    writeFileSync(join(dir, "in", long), "far away");
    writeFileSync(join(dir, "in", "near"), "here");
    symlinkSync("near", join(dir, "in", "other"));
    for (const format of ["gnu", "ustar", "pax"]) {
      execFileSync("tar", ["--format", format, "-cf", join(dir, "theirs.tar"), "-C", join(dir, "in"), "."]);
      const entries = await entriesOfFile(join(dir, "theirs.tar"));
      expect([...entries.keys()].sort()).toEqual([long, "near", "other"].sort());
      expect(entries.get("other")).toEqual(entries.get("near"));
      expect(entries.get(long)?.size).toBe(8);
    }
    writeFileSync(join(dir, "ours.tar"), await archive({ [long]: "far away", near: "here" }));
    mkdirSync(join(dir, "out"));
    execFileSync("tar", ["-xf", join(dir, "ours.tar"), "-C", join(dir, "out")]);
    expect(readFileSync(join(dir, "out", long), "utf8")).toBe("far away");
  });

  it("end at two blocks of zeros, and trailing bytes are ignored", async () => {
    const [end, more] = [new Uint8Array(1024), [entry("index.json", "hidden"), entry("b", "hidden")]];
    const bytes = new Uint8Array(Buffer.concat([entry("index.json", "shown"), end, ...more, end]));
    expect([...(await entriesOf(bytes))]).toEqual([["index.json", { offset: 512, size: 5 }]]);
    const large = join(dir, "large.tar");
    writeFileSync(large, bytes);
    truncateSync(large, 2 ** 43);
    expect([...(await entriesOfFile(large)).keys()]).toEqual(["index.json"]);
    // As a header without an entry.
    writeFileSync(large, extended("path=a", new Uint8Array(0)));
    truncateSync(large, 2 ** 43);
    expect([...(await entriesOfFile(large)).keys()]).toEqual([]);
  });

  it("continue after a single block of zeros, and after zeros inside a header", async () => {
    const name = `long/${"n".repeat(200)}`;
    const longName = entry("././@LongLink", `${name}${"\0".repeat(2100)}`, { [typeAt]: "L" });
    const bytes = new Uint8Array(
      Buffer.concat([entry("a", "x"), new Uint8Array(512), longName, entry("cut", "y"), new Uint8Array(1024)]),
    );
    expect([...(await entriesOf(bytes)).keys()]).toEqual(["a", name]);
  });

  it("larger than 8 GiB have their size in an extended header", async () => {
    const size = 9 * 1024 ** 3;
    const handle = await open(join(dir, "large.tar"), "w");
    await handle.write(writeTarHeader("large", size, "file"));
    await handle.truncate(3 * 512 + size + 1024);
    await handle.close();
    expect((await entriesOfFile(join(dir, "large.tar"))).get("large")).toEqual({ offset: 3 * 512, size });
  });
});

describe("a tar is rejected", () => {
  const hostile: readonly (readonly [string, Uint8Array])[] = [
    ["with a name that leads out of it", entry("a/../../etc/passwd", "x")],
    ["with an absolute name", entry("/etc/passwd", "x")],
    ["with a Windows name", entry("C:\\windows", "x")],
    ["with a device", entry("device", "", { [typeAt]: "3" })],
    ["with a FIFO", entry("pipe", "", { [typeAt]: "6" })],
    ["with a hard link", entry("hard", "", { [typeAt]: "1", [linkAt]: "other" })],
    ["with a symbolic link that leads out of it", entry("link", "", { [typeAt]: "2", [linkAt]: "../../etc/passwd" })],
    ["with an absolute symbolic link", entry("link", "", { [typeAt]: "2", [linkAt]: "/etc/passwd" })],
    ["with a sparse file of GNU tar", entry("sparse", "x", { [typeAt]: "S" })],
    ["with a sparse file of pax", extended("GNU.sparse.major=1", entry("sparse", "x"))],
    ["with an extended header that leads out of it", extended("path=../../x", entry("a", "x"))],
    ["with an absolute name in an extended header", extended("path=/etc", entry("a", "x"))],
    ["with an extended header with a size beyond its end", extended("size=8589934592", entry("a", "x"))],
    ["with a huge extended header", extended(`path=${"a".repeat(80_000)}`, entry("a", "x"))],
    ["with a negative size in base 256", entry("a", "x", { [sizeAt]: "\u00ff" })],
    ["with the size -1 in base 256", entry("a", "x", { [sizeAt]: "\u00ff".repeat(12) })],
    ["with a size beyond its end", entry("a", "x", { [sizeAt]: "00000777777" })],
    ["with a size that is not a number", entry("a", "x", { [sizeAt]: "9999" })],
    ["with a negative extended size", extended("size=-123", entry("a", "x"))],
    ["with an extended size that is not a number", extended("size=1e9", entry("a", "x"))],
  ];
  for (const [what, bytes] of hostile) {
    it(`${what}`, async () => {
      expect(await codeOf(bytes)).toBe("MOTE_INVALID_ARCHIVE");
    });
  }

  it("with a damaged header", async () => {
    const bytes = entry("a", "x");
    bytes[0] = 0x62;
    expect(await codeOf(bytes)).toBe("MOTE_INVALID_ARCHIVE");
  });

  it("or read, for any bytes", async () => {
    const sound = await archive({ "oci-layout": "{}", "blobs/sha256/abc": "content", [`${"n".repeat(150)}`]: "x" });
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(sound.byteLength - 1), fc.nat(255)), { maxLength: 6 }),
        async (changes) => {
          const bytes = sound.slice();
          for (const [at, value] of changes) bytes[at] = value;
          const found = await codeOf(bytes);
          expect(Array.isArray(found) || found === "MOTE_INVALID_ARCHIVE").toBe(true);
        },
      ),
      { numRuns: 200 },
    );
  });
});
