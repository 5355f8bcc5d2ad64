import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { digestBytes, MoteError } from "@mote/core";
import { afterEach, beforeEach, expect, it } from "vitest";
import { put } from "../../test/image.js";
import { FileCache } from "../index.js";

const bytes = new Uint8Array(3_500_000).map((_, n) => (n * 7) ^ (n >> 8));
const digest = digestBytes(bytes);
let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "mote-chunks-"));
});
afterEach(() => rmSync(root, { recursive: true }));

const code = (error: unknown) => (MoteError.isInstance(error) ? error.code : String(error));
const chunkFiles = () => readdirSync(join(root, ".mote/chunks"));
function damage(cache: FileCache, at: number): void {
  const path = cache.moteRef(digest);
  chmodSync(path, 0o644);
  const content = readFileSync(path);
  content[at] = (content[at] ?? 0) ^ 1;
  writeFileSync(path, content);
}
async function readRange(cache: FileCache, start: number, end: number): Promise<string> {
  try {
    const chunks = [];
    for await (const chunk of await cache.moteReader(digest, { start, end })) chunks.push(chunk);
    return Buffer.concat(chunks).equals(bytes.subarray(start, end)) ? "right" : "wrong";
  } catch (error) {
    return code(error);
  }
}
async function readAt(cache: FileCache, position: number): Promise<string> {
  await using reader = await cache.moteReaderAt(digest);
  const into = new Uint8Array(100);
  return await reader
    .readAt(into, position)
    .then(() => (Buffer.compare(into, bytes.subarray(position, position + 100)) === 0 ? "right" : "wrong"), code);
}

for (const chunkDigests of ["verify", "write"] as const) {
  it(`ranges of a damaged blob are rejected if its chunks were hashed at ${chunkDigests}`, async () => {
    for (const read of [
      (cache: FileCache) => readRange(cache, 1_200_000, 2_900_000),
      (cache: FileCache) => readAt(cache, 1_200_000),
    ]) {
      await using cache = new FileCache(root, { chunkDigests });
      await put(cache, bytes, "application/octet-stream");
      if (chunkDigests === "verify") await cache.verify();
      expect(chunkFiles().length).toBe(1);
      expect(await read(cache)).toBe("right");
      damage(cache, 1_500_000);
      expect(await readRange(cache, 0, 1000)).toBe("right");
      expect(await readAt(cache, 3_400_000)).toBe("right");
      expect(await read(cache)).toBe("MOTE_CORRUPT");
      expect(await cache.moteExists(digest)).toBe(false);
    }
  });
}

it("a damaged side file is ignored", async () => {
  await using cache = new FileCache(root, { chunkDigests: "write" });
  await put(cache, bytes, "application/octet-stream");
  const [name = ""] = chunkFiles();
  const path = join(root, ".mote/chunks", name);
  const content = readFileSync(path);
  content[20] = (content[20] ?? 0) ^ 1;
  writeFileSync(path, content);
  expect(await readRange(cache, 10, 20)).toBe("right");
  writeFileSync(path, "nothing of ours");
  expect(await readRange(cache, 10, 20)).toBe("right");
  expect((await cache.verify()).damaged).toEqual([]);
});

it("a side file that does not match its blob or cannot be read is ignored", async () => {
  for (const spoil of [
    (path: string) => writeFileSync(path, readFileSync(path).subarray(0, -32)),
    (path: string) => writeFileSync(path, Buffer.concat([readFileSync(path), Buffer.alloc(32)])),
    (path: string) => writeFileSync(path, ""),
    (path: string) => {
      rmSync(path);
      mkdirSync(path);
    },
  ]) {
    await using cache = new FileCache(root, { chunkDigests: "write" });
    await put(cache, bytes, "application/octet-stream");
    const [name = ""] = chunkFiles();
    spoil(join(root, ".mote/chunks", name));
    expect(await readRange(cache, 10, 20)).toBe("right");
    expect(await readRange(cache, 10, 2_000_000)).toBe("right");
    expect(await readAt(cache, 2_000_000)).toBe("right");
    expect((await cache.verify()).damaged).toEqual([]);
    rmSync(join(root, ".mote/chunks", name), { recursive: true, force: true });
    await cache.removeMote(digest);
  }
});

for (const size of [1, 1000, 70_000, 1_048_576, 3_500_000]) {
  it(`ranges of a damaged blob of ${size} bytes are rejected even without a side file`, async () => {
    const content = bytes.subarray(0, size);
    const what = digestBytes(content);
    const change: Record<string, (path: string) => void> = {
      written: (path) => writeFileSync(path, readFileSync(path).fill(1)),
      shortened: (path) => truncateSync(path, size - 1),
      emptied: (path) => truncateSync(path, 0),
      lengthened: (path) => appendFileSync(path, "more"),
    };
    for (const [how, spoil] of Object.entries(change)) {
      for (const read of [
        async (cache: FileCache) => {
          for await (const _ of await cache.moteReader(what, { start: Math.floor(size / 2), end: size }));
        },
        async (cache: FileCache) => {
          for await (const _ of await cache.moteReader(what, { start: size, end: size + 10 }));
        },
        async (cache: FileCache) => {
          await using reader = await cache.moteReaderAt(what);
          await reader.readAt(new Uint8Array(10), 0);
        },
      ]) {
        await using cache = new FileCache(root);
        await put(cache, content, "application/octet-stream");
        chmodSync(cache.moteRef(what), 0o644);
        spoil(cache.moteRef(what));
        expect([how, await read(cache).then(() => "none", code)]).toEqual([how, "MOTE_CORRUPT"]);
        await cache.removeMote(what);
      }
    }
  });
}

it("an unverified blob is hashed at the first read of a range, and then verified by chunks", async () => {
  await using cache = new FileCache(root);
  await put(cache, bytes, "application/octet-stream");
  utimesSync(cache.moteRef(digest), new Date(), new Date());
  expect(chunkFiles()).toEqual([]);
  expect(await readRange(cache, 10, 20)).toBe("right");
  expect(chunkFiles().length).toBe(1);
});

it("verification by chunks finds the same damage as verification of the complete blob", async () => {
  await using cache = new FileCache(root, { chunkDigests: "write" });
  await put(cache, bytes, "application/octet-stream");
  expect((await cache.verify()).damaged).toEqual([]);
  damage(cache, 3_499_999);
  expect((await cache.verify()).damaged.length).toBe(1);
});

it("the side file is removed with its blob", async () => {
  await using cache = new FileCache(root, { chunkDigests: "write" });
  await put(cache, bytes, "application/octet-stream");
  await cache.removeMote(digest);
  expect(chunkFiles()).toEqual([]);
  await put(cache, bytes, "application/octet-stream");
  await cache.prune(0);
  expect(chunkFiles()).toEqual([]);
});
