import { createHash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  collectChunks,
  type Digest,
  digestBytes,
  type Mote,
  type MoteCache,
  type MoteInfo,
  type MoteSource,
  type ReadOptions,
  writeMote,
} from "@mote/core";

/** Bytes and their digest. */
export interface Sample {
  readonly digest: Digest;
  readonly bytes: Uint8Array;
}

export const mediaType = "application/octet-stream";

/** Generates `size` bytes that depend only on `name`. */
export function sample(name: string, size: number): Sample {
  const block = createHash("sha256").update(name).digest();
  const bytes = new Uint8Array(size);
  for (let at = 0; at < size; at++) bytes[at] = (block[at % block.length] ?? 0) ^ (at >> 5) ^ (at >> 13);
  return { digest: digestBytes(bytes), bytes };
}

export const small = sample("one", 1000);
export const other = sample("another", 2000);
export const large = sample("large", 1_500_000);

export async function put(cache: MoteCache, { digest, bytes }: Sample): Promise<MoteInfo> {
  return await writeMote(cache, { digest, mediaType, size: bytes.byteLength }, bytes);
}

/** Creates a mote and its writer. */
export async function begin(cache: MoteCache, { digest, bytes }: Sample, size: number | undefined = bytes.byteLength) {
  const mote: Mote = await cache.createMote(digest, mediaType, size);
  return { mote, writer: await cache.moteWriter(digest) };
}

/** Stores a mote by a writer that is suspended and resumed, and calls `suspended` in between. Returns whether the cache can do so. */
export async function putResumed(
  cache: MoteCache,
  { digest, bytes }: Sample,
  suspended = async () => {},
): Promise<boolean> {
  if (cache.resumeMote === undefined) return false;
  const mote = { digest, mediaType, size: bytes.byteLength };
  const first = await cache.resumeMote(mote);
  await first.write(bytes.subarray(first.offset, Math.max(first.offset, bytes.byteLength >> 1)));
  await first.suspend();
  await suspended();
  await using second = await cache.resumeMote(mote);
  await second.write(bytes.subarray(second.offset));
  await second.close();
  return true;
}

export async function readAll(
  source: MoteSource,
  digest: Digest,
  options?: Pick<ReadOptions, "start" | "end" | "verifyOnRead">,
): Promise<Uint8Array> {
  await using reader = await source.moteReader(digest, options);
  return await collect(reader);
}

export function collect(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  return collectChunks(chunks, { maxBytes: Number.POSITIVE_INFINITY, what: "a sample" });
}

export function sameBytes(one: Uint8Array, other: Uint8Array): boolean {
  return Buffer.compare(one, other) === 0;
}

/** Calls `use` with an empty folder, which is removed afterwards. */
export async function withFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "mote-suite-"));
  try {
    await use(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Returns the code of the MoteError that `work` throws, the name of another error, or `none`. */
export async function errorCodeOf(work: () => unknown): Promise<string> {
  try {
    await work();
    return "none";
  } catch (error) {
    if (error instanceof Error && "code" in error && String(error.code).startsWith("MOTE_")) return String(error.code);
    return error instanceof Error ? error.name : String(error);
  }
}

/** Returns the results of `errorCodeOf` for several calls, each once. */
export async function errorCodesOf(calls: Iterable<() => unknown>): Promise<string[]> {
  const codes = new Set<string>();
  for (const call of calls) codes.add(await errorCodeOf(call));
  return [...codes];
}
