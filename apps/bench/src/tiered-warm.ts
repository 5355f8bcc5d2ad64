import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { type Digest, digestBytes, MemoryCache, type MoteCache, writeMote } from "@mote/core";
import { FileCache } from "@mote/fs";
import { TieredCache } from "@mote/tiered";
import type { Row } from "./compare.js";
import { farRows } from "./tiered-far.js";

const count = 2_000;
const rounds = 10;
const blobBytes = 4_096;
const largeBytes = 64 * 1024 * 1024;

/** Compares a tiered cache whose near cache has everything with that cache alone, and one whose near cache is empty with plain requests. */
export async function* tieredSuite(folder: string): AsyncGenerator<Row, void, undefined> {
  yield* warmRows(folder);
  yield* farRows(folder);
}

async function* warmRows(folder: string): AsyncGenerator<Row, void, undefined> {
  const near = new FileCache(join(folder, "cache"), { durability: "visible" });
  await near.initialize();
  await using tiered = new TieredCache(near, new MemoryCache(), { write: "none" });
  const put = async (bytes: Uint8Array) => {
    const digest = digestBytes(bytes);
    await writeMote(near, { digest, mediaType: "application/octet-stream", size: bytes.byteLength }, bytes);
    return digest;
  };
  const small: Digest[] = [];
  for (let at = 0; at < count; at++) small.push(await put(randomBytes(blobBytes)));
  const large = await put(randomBytes(largeBytes));
  const readSmall = async (cache: MoteCache) => {
    for (let round = 0; round < rounds; round++) {
      for (const digest of small) {
        if (!(await cache.moteExists(digest))) throw new Error(`${digest} does not exist`);
        await read(cache, digest);
      }
    }
  };
  yield {
    title: "find and read 4 KiB, warm",
    unit: "blobs",
    amount: count * rounds,
    goal: 0.97,
    mote: { name: "TieredCache", run: () => readSmall(tiered) },
    peer: { name: "FileCache", run: () => readSmall(near) },
  };
  yield {
    title: "read 64 MiB, warm",
    unit: "MB",
    amount: largeBytes / 1e6,
    goal: 0.97,
    mote: { name: "TieredCache", run: () => read(tiered, large) },
    peer: { name: "FileCache", run: () => read(near, large) },
  };
}

async function read(cache: MoteCache, digest: Digest): Promise<void> {
  await using reader = await cache.moteReader(digest, { reuse: true });
  for await (const _ of reader);
}
