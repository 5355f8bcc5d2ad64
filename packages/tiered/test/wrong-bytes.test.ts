import { mkdtempSync, rmSync } from "node:fs";
import { chmod, open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type Digest,
  digestBytes,
  MemoryCache,
  type MoteReader,
  type ReadOptions,
  readMote,
  writeMote,
} from "@mote/core";
import { FileCache } from "@mote/fs";
import { afterAll, describe, expect, it } from "vitest";
import { TieredCache } from "../src/index.js";
import { collectWarnings, FaultyFar } from "./faulty-far.js";

const root = mkdtempSync(join(tmpdir(), "mote-tiered-"));
afterAll(() => rmSync(root, { recursive: true }));
const newFolder = () => mkdtempSync(join(root, "cache-"));
const mediaType = "application/octet-stream";
const maxBytes = 10_000_000;
const large = new Uint8Array(1_000_000).map((_, at) => at % 251);
const small = large.subarray(0, 100);
const digest = digestBytes(large);
const nears = { "a folder": () => new FileCache(newFolder()), memory: () => new MemoryCache() };

/** A far tier that sends wrong bytes `lies` times. */
class LyingFar extends FaultyFar {
  readonly reads: (boolean | undefined)[] = [];
  lies = 0;

  override async moteReader(wanted: Digest, options?: ReadOptions): Promise<MoteReader> {
    this.reads.push(options?.verifyOnRead);
    this.fault = this.lies-- > 0 ? { call: "chunk", fault: "lies" } : undefined;
    return super.moteReader(wanted, options);
  }
}

async function farWith(bytes: Uint8Array, lies: number): Promise<LyingFar> {
  const far = new LyingFar();
  await writeMote(far, { digest: digestBytes(bytes), mediaType }, bytes);
  far.lies = lies;
  return far;
}

async function changeByte(path: string): Promise<void> {
  await chmod(path, 0o644);
  await using file = await open(path, "r+");
  await file.write(new Uint8Array([large[500] === 0 ? 1 : 0]), 0, 1, 500);
}

describe.each(Object.keys(nears) as (keyof typeof nears)[])("with a near cache in %s", (near) => {
  it("right bytes are not hashed by the tier as well", async () => {
    const far = await farWith(large, 0);
    await using cache = new TieredCache(nears[near](), far, { write: "none" });
    expect(await cache.fill(digest)).toBe(true);
    expect(far.reads).toEqual([false]);
  });

  it("a transfer that brings wrong bytes once is repeated, verified by the tier, which keeps the mote", async () => {
    const far = await farWith(large, 1);
    const { logger, warnings } = collectWarnings();
    await using cache = new TieredCache(nears[near](), far, { write: "back", logger });
    expect(await cache.fill(digest)).toBe(true);
    expect(far.reads).toEqual([false, true]);
    expect(Buffer.compare(await readMote(cache, digest, { maxBytes }), large)).toBe(0);
    expect(await far.moteExists(digest)).toBe(true);
    expect(warnings).toEqual(["the tier sent wrong bytes once; fetched them again"]);
  });

  it("a small mote that comes with wrong bytes once is read without an error", async () => {
    const far = await farWith(small, 1);
    await using cache = new TieredCache(nears[near](), far, { write: "none" });
    expect(Buffer.compare(await readMote(cache, digestBytes(small), { maxBytes }), small)).toBe(0);
  });

  it.each([large.byteLength, undefined])("a reader up to byte %s never ends cleanly after wrong bytes", async (end) => {
    const far = await farWith(large, 2);
    await using cache = new TieredCache(nears[near](), far, { write: "none" });
    await expect(bytesOf(cache.moteReader(digest, { end }))).rejects.toMatchObject({ code: "MOTE_CORRUPT" });
    expect(await cache.moteExists(digest)).toBe(false);
  });

  it("a reader that has got wrong bytes fails even if the transfer is repeated, and the next one does not", async () => {
    const far = await farWith(large, 1);
    await using cache = new TieredCache(nears[near](), far, { write: "none" });
    const read = await bytesOf(cache.moteReader(digest)).catch((error: unknown) => error);
    if (!(read instanceof Uint8Array)) expect(read).toMatchObject({ code: "MOTE_CORRUPT" });
    else expect(Buffer.compare(read, large)).toBe(0);
    expect(Buffer.compare(await readMote(cache, digest, { maxBytes }), large)).toBe(0);
  });

  it("a mote that is damaged in the tier is set aside there, and written again when it was fetched elsewhere", async () => {
    const far = new FileCache(newFolder());
    await writeMote(far, { digest, mediaType }, large);
    await changeByte(far.moteRef(digest));
    const { logger, warnings } = collectWarnings();
    await using cache = new TieredCache(nears[near](), far, { write: "back", keepOpen: true, logger });
    await expect(cache.fill(digest)).rejects.toMatchObject({ code: "MOTE_CORRUPT" });
    expect(warnings).toEqual(["the tier sent wrong bytes"]);
    expect(await far.quarantined()).toEqual({ files: 1, bytes: large.byteLength });
    expect(await cache.moteExists(digest)).toBe(false);
    await writeMote(cache, { digest, mediaType }, large);
    await cache.drain();
    expect(await far.verifyMote(digest)).toBe(true);
  });
});

it("wrong bytes of an interrupted fetch do not count against the tier", async () => {
  const near = new FileCache(newFolder());
  const writer = await near.leadMote({ digest, mediaType, size: large.byteLength });
  await writer?.write(large.slice(0, 300_000).fill(7));
  await writer?.suspend();
  const far = await farWith(large, 0);
  await using cache = new TieredCache(near, far, { write: "back" });
  expect(await cache.fill(digest)).toBe(true);
  expect(await far.moteExists(digest)).toBe(true);
  expect(await near.verifyMote(digest)).toBe(true);
});

it("a damaged mote in the near cache of the next tier is set aside there, and then read from the tier behind it", async () => {
  const [middle, last] = [new FileCache(newFolder()), await farWith(large, 0)];
  await writeMote(middle, { digest, mediaType }, large);
  await changeByte(middle.moteRef(digest));
  const chain = new TieredCache(middle, last, { write: "none" });
  const open = () => new TieredCache(new MemoryCache(), chain, { write: "none", keepOpen: true });
  await expect(open().fill(digest)).rejects.toMatchObject({ code: "MOTE_CORRUPT" });
  expect((await middle.quarantined()).files).toBe(1);
  expect(await open().fill(digest)).toBe(true);
  await chain[Symbol.asyncDispose]();
});

async function bytesOf(opening: Promise<MoteReader>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of await opening) chunks.push(chunk);
  return Buffer.concat(chunks);
}
