import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { carry } from "../../test/file-trees.js";
import { type RawEntry, rawTar } from "../../test/raw-tar.js";
import { UnpackLimits } from "../compression/unpack-limits.js";
import { FilesDestination, FilesSource } from "../index.js";
import { readTarEntries } from "../tar/tar-entries.js";
import { StagedTree } from "./staged-tree.js";
import { unpackTar } from "./unpack-tar.js";

const replacement = "\u{fffd}";
let dir: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "mote-utf8-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** Writes a tar with a byte that is not valid UTF-8 for each `#`, and with valid checksums. */
function spoiled(entries: readonly RawEntry[]): Buffer {
  const bytes = rawTar(entries);
  for (let at = 0; at < bytes.length; at++) if (bytes[at] === 0x23) bytes[at] = 0xff;
  for (let at = 0; at < bytes.length; at += 512) {
    const header = bytes.subarray(at, at + 512);
    if (header.toString("latin1", 257, 262) !== "ustar") continue;
    header.fill(0x20, 148, 156);
    const sum = header.reduce((total, byte) => total + byte, 0);
    header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  }
  return bytes;
}

async function unpack(bytes: Uint8Array): Promise<string> {
  writeFileSync(join(dir, "layer"), bytes);
  const into = join(dir, "into");
  mkdirSync(into);
  const tree = new StagedTree(into);
  await unpackTar(join(dir, "layer"), tree, { title: "data", limits: new UnpackLimits() });
  await tree.makeLinks(into, "the artifact", {});
  return join(into, "data");
}

async function namesIn(bytes: Uint8Array): Promise<readonly string[]> {
  writeFileSync(join(dir, "archive"), bytes);
  const handle = await open(join(dir, "archive"));
  try {
    return [...(await readTarEntries(handle, "archive")).keys()];
  } finally {
    await handle.close();
  }
}

const long = "n".repeat(150);
const refused = { code: "MOTE_INVALID_ARCHIVE" };

describe.each(["pax", "gnu", undefined] as const)("names in a tar (long names: %s)", (by) => {
  it.each([`a${replacement}`, replacement, `${replacement}/b/${replacement}`])(
    "may have U+FFFD, which is a character: %j",
    async (name) => {
      const entry: RawEntry = { name: `data/${name}`, flag: "0", text: "x", long: by };
      expect(await namesIn(rawTar([entry]))).toEqual([`data/${name}`]);
      expect(readFileSync(join(await unpack(rawTar([entry])), name), "utf8")).toBe("x");
    },
  );

  it("may contain it in a long name that is not cut", async () => {
    const name = `data/${long}${replacement}`;
    if (by !== undefined) expect(await namesIn(rawTar([{ name, flag: "0", long: by }]))).toEqual([name]);
  });

  it("may contain it in the target of a link", async () => {
    const link: RawEntry = { name: "data/link", flag: "2", link: `a${replacement}`, long: by };
    expect(readlinkSync(join(await unpack(rawTar([link])), "link"))).toBe(`a${replacement}`);
  });

  it.each(["a#", "#", `${replacement}#`, `${replacement}/#`])(
    "are rejected if they are not UTF-8: %j",
    async (name) => {
      const bytes = spoiled([
        { name: `data/${replacement}`, flag: "0" },
        { name: `data/${name}`, flag: "0", long: by },
      ]);
      await expect(namesIn(bytes)).rejects.toMatchObject(refused);
      await expect(unpack(bytes)).rejects.toMatchObject(refused);
    },
  );

  it("are rejected in the target of a link too", async () => {
    const bytes = spoiled([{ name: "data/link", flag: "2", link: "a#", long: by }]);
    await expect(unpack(bytes)).rejects.toMatchObject(refused);
  });
});

describe("a packed directory", () => {
  it("is restored with names that contain U+FFFD", async () => {
    const from = join(dir, "from");
    mkdirSync(join(from, replacement), { recursive: true });
    writeFileSync(join(from, replacement, `a${replacement}`), "x");
    symlinkSync(`a${replacement}`, join(from, replacement, "link"));
    await using source = new FilesSource([{ path: from, title: "data" }]);
    await using destination = new FilesDestination(join(dir, "to"));
    await carry(source, destination);
    const to = join(dir, "to/data", replacement);
    expect(readdirSync(to).sort()).toEqual([`a${replacement}`, "link"].sort());
    expect(readlinkSync(join(to, "link"))).toBe(`a${replacement}`);
  });

  // Other systems do not allow such names.
  const onLinux = process.platform === "linux";

  it.runIf(onLinux).each(["a file", "a folder", "a link", "a link's target"])(
    "is refused with the path if it has %s whose name is not UTF-8",
    async (what) => {
      const from = join(dir, "from");
      mkdirSync(from);
      const path = Buffer.concat([Buffer.from(`${from}/a`), Buffer.of(0xff)]);
      if (what === "a file") writeFileSync(path, "x");
      if (what === "a folder") mkdirSync(path);
      if (what === "a link") symlinkSync("b", path);
      if (what === "a link's target") symlinkSync(Buffer.of(0x61, 0xff), join(from, "link"));
      await using source = new FilesSource([{ path: from, title: "data" }]);
      await expect(source.resolve("")).rejects.toMatchObject({
        code: "MOTE_INVALID_NAME",
        details: { path: expect.stringContaining(from) },
      });
    },
  );
});
