import { randomBytes } from "node:crypto";
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { Logger } from "@mote/core";
import { open } from "lmdb";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { LmdbBlobInfoCache } from "../src/index.js";
import { RowWriter } from "../src/row-bytes.js";
import { useInChild } from "./child.js";
import { digestOf, writeSeed } from "./seed.js";

const folder = mkdtempSync(join(tmpdir(), "mote-bic-"));
const seed = join(folder, "seed", "bic.lmdb");
let made = 0;

beforeAll(() => writeSeed(seed));
afterAll(() => rmSync(folder, { recursive: true }));

function newPath(): string {
  const path = join(folder, `${++made}`, "bic.lmdb");
  mkdirSync(dirname(path));
  return path;
}

function setAside(path: string): string[] {
  return readdirSync(dirname(path)).filter((name) => /\.damaged-[0-9TZ]+-\d+$/.test(name));
}

const fill = (bytes: Uint8Array, from: number, to: number) => bytes.set(randomBytes(to - from), from);
const damages: Record<string, (bytes: Uint8Array) => Uint8Array> = {
  "cut in the middle of a page": (bytes) => bytes.subarray(0, bytes.length / 2 + 100),
  "cut between two pages": (bytes) => bytes.subarray(0, 4096 * 5),
  "cut to one page": (bytes) => bytes.subarray(0, 4096),
  "cut to ten bytes": (bytes) => bytes.subarray(0, 10),
  "garbage throughout": (bytes) => new Uint8Array(randomBytes(bytes.length)),
  text: () => new TextEncoder().encode("no database\n".repeat(2000)),
  "without its first page": (bytes) => bytes.fill(0, 0, 4096),
  "with garbage in one meta page": (bytes) => {
    fill(bytes, 4096, 4096 + 200);
    return bytes;
  },
  "half written: zeros from the middle on": (bytes) => bytes.fill(0, bytes.length / 2),
  "with garbage in every page but the meta pages": (bytes) => {
    fill(bytes, 8192, bytes.length);
    return bytes;
  },
  "with each page one place further on": (bytes) => {
    bytes.copyWithin(8192 + 4096, 8192);
    return bytes;
  },
};

describe("a damaged file never ends the process, and is replaced by a new one", () => {
  it.each(Object.entries(damages))("%s", async (_, damage) => {
    const path = newPath();
    const damaged = damage(new Uint8Array(readFileSync(seed)));
    writeFileSync(path, damaged);
    const use = await useInChild(path);
    expect(use).toMatchObject({ recorded: 20, codes: [], mode: "persistent" });
    expect(use.warnings.length).toBe(1);
    const [name = "none"] = setAside(path);
    expect(new Uint8Array(readFileSync(join(dirname(path), name)))).toEqual(damaged);
    expect((await useInChild(path, "later")).warnings).toEqual([]);
  });

  it("even if many processes find it concurrently, and all their records are in one file", async () => {
    const path = newPath();
    writeFileSync(path, readFileSync(seed).subarray(0, 20_000));
    const names = ["a", "b", "c", "d", "e", "f"];
    const uses = await Promise.all(names.map((name) => useInChild(path, name)));
    expect(uses.map(({ recorded, mode }) => [recorded, mode])).toEqual(names.map(() => [20, "persistent"]));
    expect(setAside(path).length).toBe(1);
    await using cache = new LmdbBlobInfoCache(path);
    expect((await cache.statistics()).locations).toBe(20 * names.length);
  });

  it("even if only reading a row shows the damage, and the look-up succeeds", async () => {
    const path = newPath();
    copyFileSync(seed, path);
    const db = open<Buffer, Buffer>({ path, noSubdir: true, keyEncoding: "binary", encoding: "binary" });
    for (const key of [...db.getKeys({ start: Buffer.from([5]) })]) await db.put(key, Buffer.from([0, 1, 2]));
    await db.close();
    const warnings: string[] = [];
    await using cache = new LmdbBlobInfoCache(path, { logger: listener(warnings) });
    expect(await cache.candidateLocations("t", "s", digestOf(1), { canSubstitute: false })).toEqual([]);
    expect(warnings.length).toBeGreaterThan(0);
    expect(setAside(path).length).toBe(1);
    await cache.recordKnownLocation("t", "s", digestOf(1), "here");
    expect((await cache.candidateLocations("t", "s", digestOf(1), { canSubstitute: false })).length).toBe(1);
  });
});

describe("a file of another format is not changed, and facts are stored in memory", () => {
  it("a newer version of this format", async () => {
    const path = newPath();
    const db = open<Buffer, Buffer>({ path, noSubdir: true, keyEncoding: "binary", encoding: "binary" });
    await db.put(Buffer.from([0]), Buffer.from(new RowWriter().text("mote-blob-info").number(2).bytes));
    await db.close();
    await expectLeftAlone(path, "MOTE_UNSUPPORTED_FORMAT");
  });

  it("a database of another program", async () => {
    const path = newPath();
    const db = open({ path, noSubdir: true });
    await db.put("theirs", "data");
    await db.close();
    await expectLeftAlone(path, "MOTE_UNSUPPORTED_FORMAT");
  });

  it("another data version of LMDB", async () => {
    const path = newPath();
    const bytes = readFileSync(seed);
    for (const page of [0, 4096]) bytes.writeUInt32LE(3, page + 28);
    writeFileSync(path, bytes);
    await expectLeftAlone(path, "MOTE_UNSUPPORTED_FORMAT");
  });

  it("a directory", async () => {
    const path = newPath();
    mkdirSync(path);
    const use = await useInChild(path);
    expect(use).toMatchObject({ recorded: 20, mode: "memory", warnings: [{ code: "MOTE_UNSUPPORTED_FORMAT" }] });
    expect(statSync(path).isDirectory()).toBe(true);
  });

  async function expectLeftAlone(path: string, code: string): Promise<void> {
    const before = readFileSync(path);
    expect(await useInChild(path)).toMatchObject({ known: 0, recorded: 20, mode: "memory", warnings: [{ code }] });
    expect(readFileSync(path).equals(before)).toBe(true);
  }
});

describe("a valid file", () => {
  it("that is empty is a new file", async () => {
    const path = newPath();
    writeFileSync(path, "");
    expect(await useInChild(path)).toMatchObject({ recorded: 20, mode: "persistent", warnings: [] });
  });

  it("returns all records without a warning", async () => {
    const path = newPath();
    copyFileSync(seed, path);
    expect(await useInChild(path)).toMatchObject({ known: 200, recorded: 20, mode: "persistent", warnings: [] });
  });

  it("that is removed while it is open is created again, and no record is lost", async () => {
    const path = newPath();
    await using cache = new LmdbBlobInfoCache(path);
    await cache.recordKnownLocation("t", "s", digestOf(1), "here");
    for (const name of ["", "-lock"]) rmSync(path + name);
    await cache.recordKnownLocation("t", "s", digestOf(2), "there");
    await using other = new LmdbBlobInfoCache(path);
    expect((await other.candidateLocations("t", "s", digestOf(2), { canSubstitute: false })).length).toBe(1);
  });
});

function listener(warnings: string[]): Logger {
  return { debug() {}, info() {}, warn: (message) => void warnings.push(message), error() {} };
}
