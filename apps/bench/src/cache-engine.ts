import { execFileSync } from "node:child_process";
import { createHash, hash, randomBytes } from "node:crypto";
import fs from "node:fs";
import { join } from "node:path";
import { type Digest, digestBytes, parseDigest, writeMote } from "@mote/core";
import { FileCache, type FileCacheOptions } from "@mote/fs";
import cacache from "cacache";
import type { Comparison } from "./compare.js";

const usualCallers = 16;
const smallBytes = 4096;
const smallCount = 4000;
const syncedCount = 500;
const verifyCount = 10_000;
const pruneCount = 100_000;
const largeBytes = 1024 ** 3;
const largestBytes = 4 * 1024 ** 3;
const chunkBytes = 1024 ** 2;
const mediaType = "application/octet-stream";

/** Compares the cache engine with bare system calls and programs that do the same work. */
export async function* engineSuite(folder: string): AsyncGenerator<Comparison, void, undefined> {
  yield* largeRows(folder);
  yield* largestRows(folder);
  yield* smallRows(folder);
  yield* pruneRows(folder);
  yield* verifyRows(folder);
}

async function* smallRows(folder: string): AsyncGenerator<Comparison, void, undefined> {
  const blobs = makeBlobs(smallCount);
  const bare = join(folder, "bare");
  let cache = await fresh(join(folder, "mote"), { durability: "visible", verifyOnRead: false });
  const renew = (options: FileCacheOptions) => async () => {
    cache = await fresh(join(folder, "mote"), options);
  };
  const renewBare = () => renewFolder(bare);
  const rate = { unit: "blobs" as const, amount: smallCount };
  const putAll = () => eachAtOnce(blobs, (blob) => put(cache, blob));
  yield {
    ...rate,
    title: "put 4 KiB, visible, 16 callers",
    goal: 0.6,
    mote: { name: "mote", prepare: renew({ durability: "visible", verifyOnRead: false }), run: putAll },
    peer: {
      name: "open, write, hash, rename",
      prepare: renewBare,
      run: async () => {
        for (const [n, { bytes }] of blobs.entries()) putBare(bare, n, bytes);
      },
    },
  };
  yield {
    ...rate,
    title: "get 4 KiB, unverified, 16 callers",
    goal: 0.5,
    mote: { name: "mote", run: () => eachAtOnce(blobs, ({ digest }) => read(cache, digest)) },
    peer: {
      name: "open, read, close",
      run: async () => {
        for (const { digest } of blobs) readBare(join(bare, digest.slice(7)));
      },
    },
  };
  await cache[Symbol.asyncDispose]();
}

/** Measures syncs, which cost nothing in memory, on a disk. */
export async function* syncSuite(folder: string): AsyncGenerator<Comparison, void, undefined> {
  const blobs = makeBlobs(syncedCount);
  const bare = join(folder, "bare");
  let cache = await fresh(join(folder, "mote"), {});
  for (const callers of [16, 64])
    yield {
      title: `put 4 KiB, grouped, ${callers} callers`,
      unit: "blobs",
      amount: syncedCount,
      goal: 3,
      mote: {
        name: "mote",
        prepare: async () => {
          cache = await fresh(join(folder, "mote"), {});
        },
        run: () => eachAtOnce(blobs, (blob) => put(cache, blob), callers),
      },
      peer: {
        name: "write, fdatasync, rename, fsync each",
        prepare: () => renewFolder(bare),
        run: async () => {
          for (const [n, { bytes }] of blobs.entries()) putSynced(bare, n, bytes);
        },
      },
    };
  await cache[Symbol.asyncDispose]();
}

async function* verifyRows(folder: string): AsyncGenerator<Comparison, void, undefined> {
  const blobs = makeBlobs(verifyCount);
  const peer = join(folder, "cacache");
  const cache = await fresh(join(folder, "verify"), { durability: "visible" });
  await eachAtOnce(blobs, (blob) => put(cache, blob));
  await eachAtOnce(
    blobs,
    async ({ bytes, digest }) => void (await cacache.put(peer, digest, Buffer.from(bytes.buffer))),
  );
  yield {
    title: "verify 10,000 blobs of 4 KiB",
    unit: "blobs",
    amount: verifyCount,
    goal: 50,
    mostPairs: 2,
    mote: { name: "mote", run: async () => void (await cache.verify()) },
    peer: { name: "cacache", run: async () => void (await cacache.verify(peer)) },
  };
  await cache[Symbol.asyncDispose]();
}

async function* pruneRows(folder: string): AsyncGenerator<Comparison, void, undefined> {
  const bare = join(folder, "prune-bare");
  let cache = await fresh(join(folder, "prune"), { durability: "visible" });
  yield {
    title: "prune 100,000 blobs to half",
    unit: "blobs",
    amount: pruneCount,
    goalTime: 1.15,
    mote: {
      name: "mote",
      prepare: async () => {
        cache = await fresh(join(folder, "prune"), { durability: "visible" });
        fill(join(folder, "prune/blobs/sha256"));
      },
      run: async () => void (await cache.prune(5 * pruneCount)),
    },
    peer: { name: "readdir, stat, unlink", prepare: () => fill(bare), run: async () => pruneBare(bare) },
  };
  await cache[Symbol.asyncDispose]();
}

async function* largeRows(folder: string): AsyncGenerator<Comparison, void, undefined> {
  const source = join(folder, "source");
  const digest = writeLarge(source, largeBytes);
  const cache = await fresh(join(folder, "large"), { durability: "visible" });
  const mote = { digest, mediaType, size: largeBytes };
  const copyIn = () => cache.commitMote(source, mote, "copy");
  const remove = () => cache.removeMote(digest);
  const openssl = (path = source) => void execFileSync("openssl", ["dgst", "-sha256", path]);
  const peer = { name: "openssl", run: async () => openssl() };
  const rate = { unit: "MB" as const, amount: largeBytes / 1e6 };
  yield {
    ...rate,
    title: "copy in 1 GiB",
    goal: 1.3,
    mote: { name: "mote", prepare: remove, run: copyIn },
    peer: {
      name: "cp, then openssl",
      run: async () => {
        execFileSync("cp", [source, `${source}-copy`]);
        openssl(`${source}-copy`);
      },
    },
  };
  fs.rmSync(`${source}-copy`);
  yield {
    ...rate,
    title: "stream in 1 GiB",
    goal: 0.85,
    mote: { name: "mote", prepare: remove, run: () => streamIn(cache, digest) },
    peer,
  };
  await remove();
  await copyIn();
  yield {
    ...rate,
    title: "verified read of 1 GiB",
    goal: 0.95,
    mote: { name: "mote", run: () => read(cache, digest) },
    // The same file, because the placement of its pages in memory makes up to 20 %.
    peer: { name: "openssl", run: async () => openssl(cache.moteRef(digest)) },
  };
  await cache[Symbol.asyncDispose]();
  fs.rmSync(join(folder, "large"), { recursive: true });
  fs.rmSync(source);
}

async function* largestRows(folder: string): AsyncGenerator<Comparison, void, undefined> {
  const source = join(folder, "source");
  const digest = writeLarge(source, largestBytes);
  const root = join(folder, "largest");
  const cache = await fresh(root, { durability: "visible" });
  await cache.commitMote(source, { digest, mediaType, size: largestBytes }, "move");
  const row = {
    unit: "MB" as const,
    amount: largestBytes / 1e6,
    peer: {
      name: "openssl",
      run: async () => void execFileSync("openssl", ["dgst", "-sha256", cache.moteRef(digest)]),
    },
  };
  const verify = async () => void (await cache.verify());
  yield { ...row, title: "verify 4 GiB again", goal: 1.3, mote: { name: "mote", run: verify } };
  /** Removes the chunk digests, with which a verification can use two cores. */
  const forgetChunks = () => {
    fs.rmSync(join(root, ".mote/chunks"), { recursive: true });
    fs.mkdirSync(join(root, ".mote/chunks"));
  };
  yield {
    ...row,
    title: "verify 4 GiB for the first time",
    mote: { name: "mote", prepare: forgetChunks, run: verify },
  };
  await cache[Symbol.asyncDispose]();
}

interface Blob {
  readonly bytes: Uint8Array;
  readonly digest: Digest;
}

function makeBlobs(count: number): Blob[] {
  return Array.from({ length: count }, () => {
    const bytes = new Uint8Array(randomBytes(smallBytes));
    return { bytes, digest: digestBytes(bytes) };
  });
}

async function fresh(folder: string, options: FileCacheOptions): Promise<FileCache> {
  fs.rmSync(folder, { recursive: true, force: true });
  const cache = new FileCache(folder, options);
  await cache.initialize();
  return cache;
}

async function put(cache: FileCache, { bytes, digest }: Blob): Promise<void> {
  await writeMote(cache, { digest, mediaType, size: bytes.byteLength }, bytes);
}

async function streamIn(cache: FileCache, digest: Digest): Promise<void> {
  await cache.createMote(digest, mediaType, largeBytes);
  await using writer = await cache.moteWriter(digest);
  for (let at = 0; at < largeBytes; at += chunkBytes) await writer.write(block);
  await writer.close();
}

async function read(cache: FileCache, digest: Digest): Promise<void> {
  await using reader = await cache.moteReader(digest, { reuse: true });
  for await (const _chunk of reader);
}

function renewFolder(folder: string): void {
  fs.rmSync(folder, { recursive: true, force: true });
  fs.mkdirSync(join(folder, "new"), { recursive: true });
}

function putBare(folder: string, number: number, bytes: Uint8Array): void {
  const path = join(folder, "new", String(number));
  const fd = fs.openSync(path, "wx", 0o444);
  fs.writeSync(fd, bytes);
  const name = createHash("sha256").update(bytes).digest("hex");
  fs.closeSync(fd);
  fs.renameSync(path, join(folder, name));
}

function putSynced(folder: string, number: number, bytes: Uint8Array): void {
  const path = join(folder, "new", String(number));
  const fd = fs.openSync(path, "wx", 0o444);
  fs.writeSync(fd, bytes);
  fs.fdatasyncSync(fd);
  fs.closeSync(fd);
  fs.renameSync(path, join(folder, createHash("sha256").update(bytes).digest("hex")));
  const directory = fs.openSync(folder, "r");
  fs.fsyncSync(directory);
  fs.closeSync(directory);
}

function readBare(path: string): void {
  const fd = fs.openSync(path, "r");
  fs.readSync(fd, new Uint8Array(smallBytes), 0, smallBytes, 0);
  fs.closeSync(fd);
}

function fill(folder: string): void {
  fs.rmSync(folder, { recursive: true, force: true });
  fs.mkdirSync(folder, { recursive: true });
  for (let n = 0; n < pruneCount; n++) {
    const path = `${folder}/${hash("sha256", String(n))}`;
    fs.writeFileSync(path, "ten bytes.");
    fs.utimesSync(path, 1.7e9 + ((n * 7919) % pruneCount), 1.7e9);
  }
}

function pruneBare(folder: string): void {
  const found = fs.readdirSync(folder).map((name) => {
    const path = `${folder}/${name}`;
    return { path, usedMs: fs.lstatSync(path).atimeMs };
  });
  found.sort((one, other) => one.usedMs - other.usedMs);
  for (const { path } of found.slice(0, pruneCount / 2)) fs.unlinkSync(path);
}

const block = new Uint8Array(randomBytes(chunkBytes));

function writeLarge(path: string, bytes: number): Digest {
  const fd = fs.openSync(path, "w");
  const digester = createHash("sha256");
  for (let at = 0; at < bytes; at += chunkBytes) {
    fs.writeSync(fd, block);
    digester.update(block);
  }
  fs.closeSync(fd);
  return parseDigest(`sha256:${digester.digest("hex")}`);
}

/** Runs `work` on all items, `callers` at a time. */
async function eachAtOnce<Item>(
  items: readonly Item[],
  work: (item: Item) => Promise<void>,
  callers = usualCallers,
): Promise<void> {
  const left = items.values();
  await Promise.all(
    Array.from({ length: callers }, async () => {
      for (const item of left) await work(item);
    }),
  );
}
