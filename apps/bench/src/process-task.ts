import { createHash } from "node:crypto";
import fs from "node:fs";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { type Digest, type MoteCache, parseDigest } from "@mote/core";
import { FileCache } from "@mote/fs";
import { S3Cache } from "@mote/s3";
import type { Measured } from "./fresh-process.js";

/** The tasks. Each prepares and returns what is measured. */
const tasks: Readonly<Record<string, (...parameters: string[]) => Promise<() => Promise<void>>>> = {
  prune: async (folder, maxSize) => {
    const cache = await open(folder);
    return async () => void (await cache.prune(Number(maxSize)));
  },
  "prune-bare": async (folder, count) => async () => pruneBare(folder ?? "", Number(count)),
  streams: async (folder, digest, readers, writers, writerBytes) => {
    const cache = await open(folder);
    const written = Array.from({ length: Number(writers) }, (_, n) => blobOf(n, Number(writerBytes)));
    return async () => {
      const reading = Array.from({ length: Number(readers) }, () => read(cache, digest ?? ""));
      await Promise.all([...reading, ...written.map((blob) => write(cache, blob))]);
    };
  },
  "s3-write": async (endpoint, bytes) => {
    const credentials = { accessKeyId: "key", secretAccessKey: "secret" };
    const cache = new S3Cache({ bucket: "bucket", endpoint, region: "us-east-1", credentials, env: {} });
    const blob = blobOf(7, Number(bytes));
    return async () => await write(cache, blob);
  },
};

const [name = "", ...parameters] = process.argv.slice(2);
const prepare = tasks[name];
if (prepare === undefined) throw new Error(`unknown task "${name}"`);
const run = await prepare(...parameters);
const before = process.memoryUsage().rss;
const delay = monitorEventLoopDelay({ resolution: 1 });
delay.enable();
await run();
delay.disable();
const measured: Measured = {
  megabytes: (peakBytes() - before) / 1e6,
  longestStallMs: delay.max / 1e6,
  p99StallMs: delay.percentile(99) / 1e6,
};
console.log(JSON.stringify(measured));

/** Reads the peak memory that the kernel counts for this program. `getrusage` includes the memory of the parent process. */
function peakBytes(): number {
  const kibibytes = /^VmHWM:\s+(\d+) kB$/m.exec(fs.readFileSync("/proc/self/status", "utf8"))?.[1];
  return Number(kibibytes) * 1024;
}

async function open(folder = ""): Promise<FileCache> {
  const cache = new FileCache(folder, { durability: "visible" });
  await cache.initialize();
  return cache;
}

async function read(cache: FileCache, text: string): Promise<void> {
  await using reader = await cache.moteReader(parseDigest(text), { reuse: true });
  for await (const _chunk of reader);
}

/** Yields this number of bytes, as copies of one block. */
interface Blob {
  readonly block: Uint8Array;
  readonly bytes: number;
  readonly digest: Digest;
}

function blobOf(number: number, bytes: number): Blob {
  const block = new Uint8Array(64 * 1024).fill(number);
  const hash = createHash("sha256");
  for (let at = 0; at < bytes; at += block.byteLength) hash.update(block);
  return { block, bytes, digest: parseDigest(`sha256:${hash.digest("hex")}`) };
}

async function write(cache: MoteCache, { block, bytes, digest }: Blob): Promise<void> {
  await cache.createMote(digest, "application/octet-stream", bytes);
  await using writer = await cache.moteWriter(digest);
  for (let at = 0; at < bytes; at += block.byteLength) await writer.write(block);
  await writer.close();
}

function pruneBare(folder: string, count: number): void {
  const found = fs.readdirSync(folder).map((file) => {
    const path = `${folder}/${file}`;
    return { path, usedMs: fs.lstatSync(path).atimeMs };
  });
  found.sort((one, other) => one.usedMs - other.usedMs);
  for (const { path } of found.slice(0, count)) fs.unlinkSync(path);
}
