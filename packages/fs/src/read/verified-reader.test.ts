import { randomBytes } from "node:crypto";
import { chmodSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Digest, digestBytes, joinChunks, type MoteReader, writeMote } from "@mote/core";
import { afterEach, beforeEach, expect, it } from "vitest";
import { FileCache } from "../file-cache.js";

const bytes = randomBytes(2_000_003);
const digest = digestBytes(bytes);
let root: string;
let cache: FileCache;

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), "mote-verified-"));
  cache = new FileCache(root, { durability: "visible" });
  await writeMote(cache, { digest, mediaType: "application/octet-stream", size: bytes.byteLength }, bytes);
});
afterEach(async () => {
  await cache[Symbol.asyncDispose]();
  rmSync(root, { recursive: true });
});

async function chunksOf(reader: MoteReader): Promise<Uint8Array[]> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of reader) chunks.push(chunk);
  return chunks;
}
const open = (range = {}, of: Digest = digest) => cache.moteReader(of, { ...range, rehash: false });

it("gives many readers the same chunks, which are read once", async () => {
  const readers = await Promise.all(Array.from({ length: 5 }, () => open()));
  const all = await Promise.all(readers.map(chunksOf));
  for (const chunks of all) expect(Buffer.compare(joinChunks(chunks), bytes)).toBe(0);
  expect(new Set(all.map(([first]) => first?.buffer)).size).toBe(1);
});

it("reads a range", async () => {
  const part = joinChunks(await chunksOf(await open({ start: 600_000, end: 1_900_001 })));
  expect(Buffer.compare(part, bytes.subarray(600_000, 1_900_001))).toBe(0);
});

it("hashes a blob that has changed since it was verified", async () => {
  const path = cache.moteRef(digest);
  chmodSync(path, 0o644);
  writeFileSync(path, randomBytes(bytes.byteLength));
  await expect(open().then(chunksOf)).rejects.toMatchObject({ code: "MOTE_CORRUPT" });
});

it("does not give bytes of a damaged file to those who read the blob after its repair", async () => {
  const reader = await open();
  const path = cache.moteRef(digest);
  chmodSync(path, 0o644);
  writeFileSync(path, randomBytes(bytes.byteLength));
  await chunksOf(reader);
  await expect(open().then(chunksOf)).rejects.toMatchObject({ code: "MOTE_CORRUPT" });
  await writeMote(cache, { digest, mediaType: "application/octet-stream", size: bytes.byteLength }, bytes);
  expect(Buffer.compare(joinChunks(await chunksOf(await open())), bytes)).toBe(0);
});

it("does not end cleanly if the file is cut while it is read", async () => {
  const reader = await open();
  chmodSync(cache.moteRef(digest), 0o644);
  truncateSync(cache.moteRef(digest), 1_000);
  const read = async () => {
    for await (const _ of reader);
  };
  await expect(read()).rejects.toMatchObject({ code: expect.stringMatching(/MOTE_CORRUPT|MOTE_SIZE_MISMATCH/) });
});

it("can be closed before its end while others read on", async () => {
  const [first, second] = [await open(), await open()];
  for await (const _ of first) break;
  await first.close();
  expect(Buffer.compare(joinChunks(await chunksOf(second)), bytes)).toBe(0);
});
