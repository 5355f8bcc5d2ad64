import { randomBytes } from "node:crypto";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { type Digest, digestBytes } from "@mote/core";
import { FileCache } from "@mote/fs";
import cacache from "cacache";
import type { Comparison } from "./compare.js";

const callers = 16;
const smallBytes = 4096;
const smallCount = 2000;
const largeBytes = 64 * 1024 * 1024;
const chunkBytes = 1024 * 1024;

interface Blob {
  readonly bytes: Uint8Array;
  readonly digest: Digest;
  readonly integrity: string;
}

/** Compares writing and reading small and large blobs with cacache. */
export async function* cacheSuite(folder: string): AsyncGenerator<Comparison, void, undefined> {
  const small = Array.from({ length: smallCount }, () => makeBlob(smallBytes));
  const large = [makeBlob(largeBytes)];
  const moteDir = join(folder, "mote");
  const peerDir = join(folder, "cacache");
  let cache = await freshCache(moteDir);

  const put = (title: string, blobs: readonly Blob[], unit: "blobs" | "MB", goal?: number): Comparison => ({
    title,
    unit,
    amount: unit === "blobs" ? blobs.length : largeBytes / 1e6,
    ...(goal === undefined ? {} : { goal }),
    mote: {
      name: "mote",
      prepare: async () => {
        cache = await freshCache(moteDir);
      },
      run: () => eachAtOnce(blobs, (blob) => putMote(cache, blob)),
    },
    peer: {
      name: "cacache",
      prepare: () => rm(peerDir, { recursive: true, force: true }),
      run: () => eachAtOnce(blobs, (blob) => putPeer(peerDir, blob)),
    },
  });
  const get = (title: string, blobs: readonly Blob[], unit: "blobs" | "MB", goal?: number): Comparison => ({
    title,
    unit,
    amount: unit === "blobs" ? blobs.length : largeBytes / 1e6,
    ...(goal === undefined ? {} : { goal }),
    mote: { name: "mote", run: () => eachAtOnce(blobs, (blob) => getMote(cache, blob)) },
    peer: { name: "cacache", run: () => eachAtOnce(blobs, (blob) => getPeer(peerDir, blob)) },
  });

  yield put("put 4 KiB, visible, 16 callers", small, "blobs", 12);
  yield get("verified get 4 KiB, 16 callers", small, "blobs", 6);
  yield {
    title: "moteExists beside hasContent, 16 callers",
    unit: "operations",
    amount: small.length,
    goal: 9,
    mote: { name: "mote", run: () => eachAtOnce(small, async ({ digest }) => void (await cache.moteExists(digest))) },
    peer: {
      name: "cacache",
      run: () => eachAtOnce(small, async ({ integrity }) => void (await cacache.get.hasContent(peerDir, integrity))),
    },
  };
  yield put("stream in 64 MiB, visible", large, "MB");
  yield get("verified read of 64 MiB", large, "MB");
  await cache[Symbol.asyncDispose]();
}

function makeBlob(size: number): Blob {
  const bytes = new Uint8Array(randomBytes(size));
  const digest = digestBytes(bytes);
  const integrity = `sha256-${Buffer.from(digest.slice("sha256:".length), "hex").toString("base64")}`;
  return { bytes, digest, integrity };
}

/** Opens a cache with durability `visible`, because cacache never syncs. */
async function freshCache(folder: string): Promise<FileCache> {
  await rm(folder, { recursive: true, force: true });
  const cache = new FileCache(folder, { durability: "visible" });
  await cache.initialize();
  return cache;
}

async function putMote(cache: FileCache, { bytes, digest }: Blob): Promise<void> {
  await cache.createMote(digest, "application/octet-stream", bytes.byteLength);
  await using writer = await cache.moteWriter(digest);
  for (let at = 0; at < bytes.byteLength; at += chunkBytes) await writer.write(bytes.subarray(at, at + chunkBytes));
  await writer.close();
}

async function getMote(cache: FileCache, { digest }: Blob): Promise<void> {
  await using reader = await cache.moteReader(digest);
  for await (const _chunk of reader);
}

async function putPeer(folder: string, { bytes, integrity }: Blob): Promise<void> {
  if (bytes.byteLength <= chunkBytes) {
    await cacache.put(folder, integrity, Buffer.from(bytes.buffer), { algorithms: ["sha256"], integrity });
    return;
  }
  const stream = cacache.put.stream(folder, integrity, { algorithms: ["sha256"], integrity });
  for (let at = 0; at < bytes.byteLength; at += chunkBytes)
    stream.write(Buffer.from(bytes.subarray(at, at + chunkBytes)));
  stream.end();
  await stream.promise();
}

async function getPeer(folder: string, { bytes, integrity }: Blob): Promise<void> {
  if (bytes.byteLength <= chunkBytes) {
    await cacache.get.byDigest(folder, integrity);
    return;
  }
  for await (const _chunk of cacache.get.stream.byDigest(folder, integrity));
}

/** Runs `work` on all items, `callers` at a time. */
async function eachAtOnce<Item>(items: readonly Item[], work: (item: Item) => Promise<void>): Promise<void> {
  const left = items.values();
  await Promise.all(
    Array.from({ length: callers }, async () => {
      for (const item of left) await work(item);
    }),
  );
}
