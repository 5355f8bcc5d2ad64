import fs, { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { digestBytes, isRangedWriter, type RangedWriter } from "@mote/core";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FileCache } from "../index.js";

const bytes = new Uint8Array(3_000_000).map((_, n) => (n * 7) ^ (n >> 8));
const mote = { digest: digestBytes(bytes), mediaType: "application/octet-stream", size: bytes.byteLength };
let root: string;
let cache: FileCache;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "mote-ranges-"));
  cache = new FileCache(root, { durability: "visible" });
});
afterEach(async () => {
  await cache[Symbol.asyncDispose]();
  rmSync(root, { recursive: true });
});

const ingested = () => readdirSync(join(root, ".mote/ingest"));
const pathOf = (kind: string) => join(root, ".mote/ingest", ingested().find((name) => name.endsWith(`.${kind}`)) ?? "");

async function lead(from = cache): Promise<RangedWriter> {
  const writer = await from.leadMote(mote, { inAnyOrder: true });
  if (writer === undefined || !isRangedWriter(writer)) throw new Error("not a ranged writer");
  return writer;
}

const put = (writer: RangedWriter, start: number, end: number) => writer.writeAt(bytes.subarray(start, end), start);

async function stored(): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of await cache.moteReader(mote.digest)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

describe("a writer in any order", () => {
  it("commits the blob from ranges in any order, which may overlap, be repeated and be written at once", async () => {
    const cuts = fc.array(fc.nat(mote.size), { maxLength: 12 });
    const order = fc.infiniteStream(fc.nat(1000));
    await fc.assert(
      fc.asyncProperty(cuts, order, fc.boolean(), async (at, random, isAtOnce) => {
        const ends = [...new Set([0, mote.size, ...at])].toSorted((a, b) => a - b);
        const ranges = ends.slice(1).map((end, n) => [Math.max(0, (ends[n] ?? 0) - 10), end] as const);
        const shuffled = [...ranges, ...ranges.slice(0, 2)]
          .map((range) => ({ range, key: random.next().value ?? 0 }))
          .toSorted((a, b) => a.key - b.key);
        const writer = await lead();
        const writes = shuffled.map(
          ({ range: [start, end] }) =>
            () =>
              put(writer, start, end),
        );
        if (isAtOnce) await Promise.all(writes.map((write) => write()));
        else for (const write of writes) await write();
        expect(await writer.close()).toEqual(mote);
        expect(ingested()).toEqual([]);
        expect((await stored()).equals(bytes)).toBe(true);
        await cache.removeMote(mote.digest);
      }),
      { numRuns: 25 },
    );
  });

  it("rejects a blob with a gap, with a wrong byte, or with too many bytes, and leaves nothing", async () => {
    const gap = await lead();
    await put(gap, 0, 1_000_000);
    await put(gap, 1_000_001, mote.size);
    await expect(gap.close()).rejects.toMatchObject({ code: "MOTE_SIZE_MISMATCH" });
    const wrong = await lead();
    await wrong.writeAt(
      bytes.map((byte, at) => (at === 2_999_999 ? byte ^ 1 : byte)),
      0,
    );
    await expect(wrong.close()).rejects.toMatchObject({ code: "MOTE_DIGEST_MISMATCH" });
    const long = await lead();
    await expect(long.writeAt(new Uint8Array(10), mote.size - 5)).rejects.toMatchObject({ code: "MOTE_SIZE_MISMATCH" });
    await long.abort();
    expect(ingested()).toEqual([]);
    expect(await cache.moteExists(mote.digest)).toBe(false);
  });

  it("resumes all ranges of a suspended one, and skips what is written", async () => {
    const first = await lead();
    await put(first, 2_000_000, 2_500_000);
    await put(first, 0, 700_000);
    await first.suspend();
    await using other = new FileCache(root, { durability: "visible" });
    const second = await lead(other);
    expect(second.stored).toEqual([
      { start: 0, end: 700_000 },
      { start: 2_000_000, end: 2_500_000 },
    ]);
    expect(second.offset).toBe(700_000);
    await second.writeAt(new Uint8Array(500_000), 2_000_000);
    await put(second, 700_000, 2_000_000);
    await put(second, 2_500_000, mote.size);
    await second.close();
    expect(ingested()).toEqual([]);
    expect((await stored()).equals(bytes)).toBe(true);
  });

  it("leaves all ranges to a writer of a caller that has the bytes in order", async () => {
    const first = await lead();
    await put(first, 2_000_000, 2_500_000);
    await put(first, 0, 700_000);
    await first.suspend();
    const second = await cache.leadMote(mote);
    expect(second?.offset).toBe(700_000);
    expect(second && isRangedWriter(second) && second.stored[1]).toEqual({ start: 2_000_000, end: 2_500_000 });
    await second?.write(bytes.subarray(700_000, 1_500_000));
    await second?.write(bytes.subarray(1_500_000));
    await second?.close();
    expect(ingested()).toEqual([]);
    expect((await stored()).equals(bytes)).toBe(true);
  });

  it("is followed up to the first gap", async () => {
    const writer = await lead();
    await put(writer, 2_000_000, mote.size);
    const follower = await cache.followMote(mote.digest);
    const chunks: Uint8Array[] = [];
    let isEnded = false;
    const following = (async () => {
      for await (const chunk of follower ?? []) chunks.push(chunk);
      isEnded = true;
    })();
    await put(writer, 0, 500_000);
    while (Buffer.concat(chunks).byteLength < 500_000) await new Promise(setImmediate);
    expect(isEnded).toBe(false);
    await put(writer, 500_000, 2_000_000);
    await writer.close();
    await following;
    expect(Buffer.concat(chunks).equals(bytes)).toBe(true);
  });
});

describe("the note of written ranges", () => {
  async function noted(change: (note: Buffer) => Buffer | string): Promise<RangedWriter["stored"]> {
    const first = await lead();
    await put(first, 0, 100_000);
    await put(first, 2_000_000, 2_100_000);
    await first.suspend();
    const path = pathOf("note");
    writeFileSync(path, change(readFileSync(path)));
    const second = await lead();
    await second.abort();
    for (const name of ingested()) rmSync(join(root, ".mote/ingest", name));
    return second.stored;
  }
  const slot = (format: string) => {
    const text = `${format} 9 0-5`;
    return `${text} ${digestBytes(Buffer.from(text)).slice(-16)}\n`;
  };

  it("survives damage to its newer or older half", async () => {
    const half = (from: number) => (note: Buffer) =>
      Buffer.from(note).fill(0, from, Math.min(note.byteLength, from + 4096));
    for (const from of [0, 4096]) {
      const ranges = await noted(half(from));
      expect([0, 100_000, 200_000]).toContain(ranges.reduce((sum, { start, end }) => sum + end - start, 0));
    }
  });

  it("is ignored if it is damaged, of another version, or lists ranges that are not valid", async () => {
    expect(await noted(() => slot("mote-ranges 1"))).toEqual([{ start: 0, end: 5 }]);
    expect(await noted(() => slot("mote-ranges 2"))).toEqual([]);
    expect(await noted(() => slot("mote-ranges 1").replace("0-5", "0-6"))).toEqual([]);
    expect(await noted(() => "")).toEqual([]);
    expect(await noted(() => "x".repeat(9000))).toEqual([]);
  });

  it("is removed by a prune once its file is gone, and kept as long as the file", async () => {
    const writer = await lead();
    await put(writer, 0, 100_000);
    await writer.suspend();
    expect(ingested().length).toBe(2);
    await using other = new FileCache(root, { durability: "visible" });
    await other.prune(Number.MAX_SAFE_INTEGER);
    expect(ingested().length).toBe(2);
    fs.unlinkSync(pathOf("ranges"));
    await other.prune(Number.MAX_SAFE_INTEGER);
    expect(ingested()).toEqual([]);
  });
});
