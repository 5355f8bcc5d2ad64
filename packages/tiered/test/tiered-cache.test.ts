import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type Cancellable,
  type Digest,
  digestBytes,
  MemoryCache,
  type Mote,
  MoteError,
  type MoteInfo,
  NilCache,
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
const bytes = new Uint8Array(3_000_000).map((_, at) => at % 251);
const digest = digestBytes(bytes);
const smallOf = (name: string | number) => new TextEncoder().encode(`small ${name}`);
const put = (cache: MemoryCache | FileCache | TieredCache, content: Uint8Array) =>
  writeMote(cache, { digest: digestBytes(content), mediaType, size: content.byteLength }, content);

describe("reading", () => {
  it("fetches a mote once for concurrent readers, who read it while it arrives, and stores it", async () => {
    const near = new FileCache(newFolder());
    const far = new FaultyFar();
    await put(far, bytes);
    far.calls.length = 0;
    await using cache = new TieredCache(near, far, { write: "none" });
    await cache.initialize();
    const found = await Promise.all(Array.from({ length: 5 }, () => readMote(cache, digest, { maxBytes })));
    for (const each of found) expect(Buffer.from(each).equals(bytes)).toBe(true);
    expect(far.calls.filter((call) => call === "moteReader")).toHaveLength(1);
    expect(await near.verifyMote(digest)).toBe(true);
  });

  it("fills by linkTo, verifyMote and fill, and says whether it fetched", async () => {
    const far = new MemoryCache();
    await put(far, bytes);
    await put(far, smallOf(1));
    await put(far, smallOf(2));
    await using cache = new TieredCache(new FileCache(newFolder()), far, { write: "none" });
    await cache.initialize();
    const target = join(newFolder(), "linked");
    expect(await cache.linkTo?.(digest, target)).toBe(true);
    expect(existsSync(target)).toBe(true);
    expect(await cache.verifyMote?.(digestBytes(smallOf(1)))).toBe(true);
    expect(await cache.verifyMote?.(digestBytes(smallOf("absent")))).toBe(false);
    const seen: number[] = [];
    const onBytes = (count: number) => void seen.push(count);
    expect(await cache.fill(digestBytes(smallOf(2)), { onBytes })).toBe(true);
    expect(seen).toEqual([smallOf(2).byteLength]);
    expect(await cache.fill(digestBytes(smallOf(2)))).toBe(false);
  });

  it("continues for others when one reader is closed or aborted early", async () => {
    const near = new FileCache(newFolder());
    const far = new MemoryCache();
    await put(far, bytes);
    await using cache = new TieredCache(near, far, { write: "none" });
    await cache.initialize();
    const abort = new AbortController();
    const aborted = readMote(cache, digest, { maxBytes, signal: abort.signal });
    const other = readMote(cache, digest, { maxBytes });
    abort.abort(new RangeError("enough"));
    await expect(aborted).rejects.toThrow("enough");
    expect((await other).byteLength).toBe(bytes.byteLength);
    expect(await near.moteExists(digest)).toBe(true);
  });

  it("throws MOTE_CORRUPT for wrong bytes, removes them if it may write, and replaces them", async () => {
    const far = new FaultyFar();
    await put(far, bytes);
    far.fault = { call: "chunk", fault: "lies" };
    const { logger, warnings } = collectWarnings();
    await using cache = new TieredCache(new MemoryCache(), far, { write: "back", logger });
    await expect(readMote(cache, digest, { maxBytes })).rejects.toMatchObject({ code: "MOTE_CORRUPT" });
    expect(warnings).toEqual(["the tier sent wrong bytes"]);
    expect(await cache.moteExists(digest)).toBe(false);
    far.fault = undefined;
    expect(await far.moteExists(digest)).toBe(false);
    await put(cache, bytes);
    await cache.drain();
    expect(await far.moteExists(digest)).toBe(true);
  });

  it("reads from the far tier, verified, if the near cache cannot be written", async () => {
    class Unwritable extends NilCache {
      override async createMote(): Promise<never> {
        throw new Error("read-only file system");
      }
    }
    const far = new FaultyFar();
    await put(far, bytes);
    const { logger, warnings } = collectWarnings();
    await using cache = new TieredCache(new Unwritable(), far, { write: "none", logger });
    expect((await readMote(cache, digest, { maxBytes })).byteLength).toBe(bytes.byteLength);
    expect(warnings).toEqual(["cannot write to the cache; reading from the tier"]);
    far.fault = { call: "chunk", fault: "lies" };
    await expect(readMote(cache, digest, { maxBytes })).rejects.toMatchObject({ code: "MOTE_CORRUPT" });
  });
});

describe("existence", () => {
  it("asks for 200 motes in two round trips, and uses the answers again", async () => {
    const far = new DistantCache();
    await put(far, smallOf(0));
    await using cache = new TieredCache(new MemoryCache(), far, { write: "none" });
    const digests = Array.from({ length: 200 }, (_, at) => digestBytes(smallOf(at)));
    const existing = cache.existing(digests);
    expect(await far.answerAll()).toBe(2);
    expect([...(await existing)]).toEqual([[digests[0], smallOf(0).byteLength]]);
    expect(await cache.moteExists(digests[1] ?? digest)).toBe(false);
    expect(far.asked).toBe(200);
  });

  it("asks a tier for many motes in one call if it can, and for their media types only if they are not known", async () => {
    const far = new BulkCache();
    for (const at of [0, 1]) await put(far, smallOf(at));
    await using cache = new TieredCache(new MemoryCache(), far, { write: "none" });
    const digests = Array.from({ length: 50 }, (_, at) => digestBytes(smallOf(at)));
    const [first = digest, second = digest, third = digest] = digests;
    const existing = await cache.existing(digests);
    expect([...existing.keys()]).toEqual([first, second]);
    expect(await Promise.all([first, second, third].map((each) => cache.moteExists(each)))).toEqual([
      true,
      true,
      false,
    ]);
    await cache.fill(first, { mediaType: "text/plain" });
    expect(await cache.near.find(first)).toMatchObject({ mediaType: "text/plain" });
    expect([far.bulks, far.finds]).toEqual([1, 0]);
    await cache.fill(second);
    expect(await cache.near.find(second)).toMatchObject({ mediaType: "application/octet-stream" });
    expect([far.bulks, far.finds]).toEqual([1, 1]);
  });

  it("has nothing of a tier that fails to look up many motes, and not the one whose size is impossible", async () => {
    const far = new BulkCache();
    const { logger, warnings } = collectWarnings();
    await using cache = new TieredCache(new MemoryCache(), far, { write: "none", logger });
    const [wrong, right, ...others] = [0, 1, 2, 3].map((at) => digestBytes(smallOf(at))) as [
      Digest,
      Digest,
      ...Digest[],
    ];
    far.lie = () =>
      new Map([
        [wrong, -1],
        [right, 7],
      ]);
    expect(await cache.existing([wrong, right])).toEqual(new Map([[right, 7]]));
    far.lie = () => {
      throw new MoteError("MOTE_IO", "it has failed");
    };
    expect((await cache.existing(others)).size).toBe(0);
    expect(warnings).toEqual(["the tier has failed; continuing without it: it has failed"]);
  });

  it("warns once if the tier fails, does not ask it for a while, and answers from the near cache", async () => {
    const far = new FaultyFar();
    far.fault = { call: "find", fault: "fails" };
    const { logger, warnings } = collectWarnings();
    await using cache = new TieredCache(new MemoryCache(), far, { write: "none", logger });
    await put(cache, bytes);
    for (let at = 0; at < 10; at++) expect(await cache.moteExists(digestBytes(smallOf(at)))).toBe(false);
    expect(await cache.moteExists(digest)).toBe(true);
    expect(far.calls.filter((call) => call === "find")).toHaveLength(1);
    expect(warnings).toEqual([expect.stringContaining("the tier has failed; continuing without it")]);
    await expect(cache.moteReader(digestBytes(smallOf(1)))).rejects.toMatchObject({ code: "MOTE_NOT_FOUND" });
  });

  it("asks a tier again that has answered before, until it has failed three times", async () => {
    const far = new FaultyFar();
    await using cache = new TieredCache(new MemoryCache(), far, { write: "none" });
    expect(await cache.moteExists(digestBytes(smallOf("before")))).toBe(false);
    far.calls.length = 0;
    far.fault = { call: "find", fault: "fails" };
    for (let at = 0; at < 10; at++) expect(await cache.moteExists(digestBytes(smallOf(at)))).toBe(false);
    expect(far.calls).toEqual(["find", "find", "find"]);
  });
});

describe("writing", () => {
  it("writes back everything that was stored, in the background", async () => {
    const far = new FileCache(newFolder());
    const cache = new TieredCache(new FileCache(newFolder()), far, { write: "back", keepOpen: true });
    await cache.initialize();
    for (let at = 0; at < 20; at++) await put(cache, smallOf(at));
    await put(cache, bytes);
    expect(await cache.drain()).toMatchObject({ written: 21, waiting: 0, dropped: 0 });
    for (let at = 0; at < 20; at++) expect(await far.verifyMote(digestBytes(smallOf(at)))).toBe(true);
    expect(await far.verifyMote(digest)).toBe(true);
    await cache[Symbol.asyncDispose]();
    await expect(cache.moteExists(digest)).rejects.toMatchObject({ code: "MOTE_CLOSED" });
    expect(await far.moteExists(digest)).toBe(true);
  });

  it("writes through before the writer is closed, and does not fail if the tier does", async () => {
    const far = new FaultyFar();
    const { logger, warnings } = collectWarnings();
    let nowMs = 0;
    await using cache = new TieredCache(new MemoryCache(), far, { write: "through", logger, now: () => nowMs });
    await put(cache, smallOf(1));
    expect(await far.moteExists(digestBytes(smallOf(1)))).toBe(true);
    far.fault = { call: "moteWriter", fault: "fails" };
    await put(cache, smallOf(2));
    expect(await cache.moteExists(digestBytes(smallOf(2)))).toBe(true);
    expect(warnings[0]).toContain("the tier has failed; continuing without it");
    far.fault = undefined;
    nowMs += 60_000;
    expect((await cache.drain()).waiting).toBe(0);
    expect(await far.moteExists(digestBytes(smallOf(2)))).toBe(true);
  });

  it("keeps what could not be written for the next process, which prune does not remove", async () => {
    const folder = newFolder();
    const down = new FaultyFar();
    down.fault = { call: "moteWriter", fault: "fails" };
    const { logger, warnings } = collectWarnings();
    const first = new TieredCache(new FileCache(folder), down, { write: "back", logger });
    await first.initialize();
    await put(first, bytes);
    await first[Symbol.asyncDispose]();
    expect(warnings.at(-1)).toContain("waits in the cache");
    expect(readdirSync(join(folder, ".mote/waiting"))).toHaveLength(1);

    await using alone = new FileCache(folder);
    const report = await alone.prune(0);
    expect(report.skipped.map(({ reason }) => reason)).toEqual(["waiting"]);

    const far = new MemoryCache();
    const second = new TieredCache(new FileCache(folder), far, { write: "back", keepOpen: true });
    await second.initialize();
    await second[Symbol.asyncDispose]();
    expect(await far.moteExists(digest)).toBe(true);
    expect(readdirSync(join(folder, ".mote/waiting"))).toEqual([]);
  });

  it("sets names in the tier once its content is there, and never reads them from it", async () => {
    const far = new FaultyFar();
    const { logger, warnings } = collectWarnings();
    await using cache = new TieredCache(new FileCache(newFolder()), far, { write: "back", keepOpen: true, logger });
    await cache.initialize();
    const descriptor = { digest, mediaType, size: bytes.byteLength };
    await put(cache, bytes);
    await cache.tags?.tag("app:1", descriptor);
    await cache.tags?.tag("app:2", { ...descriptor, digest: digestBytes(smallOf("absent")) });
    await cache.drain();
    expect(await far.tags.resolve("app:1")).toMatchObject({ digest });
    expect(await far.tags.resolve("app:2")).toBeUndefined();
    await far.tags.tag("app:3", descriptor);
    expect(await cache.tags?.resolve("app:3")).toBeUndefined();
    await cache.tags?.untag("app:1");
    expect(await far.tags.resolve("app:1")).toMatchObject({ digest });
    far.tags.tag = () => Promise.reject(new MoteError("MOTE_UNWRITABLE", "access denied"));
    await cache.tags?.tag("app:5", descriptor);
    await cache.drain();
    expect(warnings).toEqual([]);
    far.tags.tag = () => Promise.reject(new MoteError("MOTE_IO", "no"));
    await cache.tags?.tag("app:4", descriptor);
    await cache.drain();
    expect(warnings.at(-1)).toContain("cannot set a name in the tier");
  });

  it("reads from a tier that accepts no writes, warns once, and lets nothing wait for it", async () => {
    const folder = newFolder();
    const far = new ReadOnlyFar();
    await put(far, bytes);
    far.isReadOnly = true;
    const { logger, warnings } = collectWarnings();
    await using cache = new TieredCache(new FileCache(folder), far, { write: "back", logger });
    await cache.initialize();
    for (let at = 0; at < 10; at++) await put(cache, smallOf(at));
    expect(await cache.drain()).toMatchObject({ written: 0, waiting: 0, dropped: 10 });
    await put(cache, smallOf(10));
    expect(await cache.drain()).toMatchObject({ dropped: 11 });
    expect(warnings).toEqual(["the tier is read-only; fetched content is not written to it"]);
    expect(readdirSync(join(folder, ".mote/waiting"))).toEqual([]);
    expect((await readMote(cache, digest, { maxBytes })).byteLength).toBe(bytes.byteLength);
  });

  it("tries a tier that accepts no writes again after some minutes, and then writes what it had refused", async () => {
    const folder = newFolder();
    const far = new ReadOnlyFar();
    far.isReadOnly = true;
    const { logger, warnings } = collectWarnings();
    let nowMs = 0;
    const near = new FileCache(folder);
    await using cache = new TieredCache(near, far, { write: "back", keepOpen: true, logger, now: () => nowMs });
    await cache.initialize();
    const putAndDrain = async (name: number) => {
      await put(cache, smallOf(name));
      return cache.drain();
    };
    const attempts = () => far.calls.filter((call) => call === "createMote").length;
    expect(await putAndDrain(1)).toMatchObject({ written: 0, waiting: 0, dropped: 1 });
    expect(await putAndDrain(2)).toMatchObject({ written: 0, dropped: 2 });
    expect(attempts()).toBe(1);
    nowMs += 600_000;
    expect(await putAndDrain(3)).toMatchObject({ written: 0, waiting: 0, dropped: 3 });
    expect(warnings).toHaveLength(1);
    const refused = attempts();
    far.isReadOnly = false;
    expect(await putAndDrain(4)).toMatchObject({ written: 0, dropped: 4 });
    expect(attempts()).toBe(refused);
    nowMs += 600_000;
    expect(await putAndDrain(5)).toMatchObject({ written: 5, waiting: 0, dropped: 0 });
    for (let at = 1; at <= 5; at++) expect(await far.moteExists(digestBytes(smallOf(at)))).toBe(true);
    expect(readdirSync(join(folder, ".mote/waiting"))).toEqual([]);
    far.isReadOnly = true;
    expect(await putAndDrain(6)).toMatchObject({ dropped: 1 });
    expect(warnings).toHaveLength(2);
    await near[Symbol.asyncDispose]();
  });

  it("forgets a mote that was announced and never committed", async () => {
    const folder = newFolder();
    const near = new FileCache(folder);
    await near.waiting.add({ digest, mediaType });
    const far = new MemoryCache();
    await using cache = new TieredCache(near, far, { write: "back" });
    await cache.initialize();
    expect(await cache.drain()).toEqual({ written: 0, writtenBytes: 0, waiting: 0, dropped: 0 });
    expect(readdirSync(join(folder, ".mote/waiting"))).toEqual([]);
    const wrong = put(cache, smallOf(1).with(0, 0));
    await wrong;
    await expect(writeMote(cache, { digest, mediaType }, smallOf(1))).rejects.toMatchObject({
      code: "MOTE_DIGEST_MISMATCH",
    });
    await cache.drain();
    expect(readdirSync(join(folder, ".mote/waiting"))).toEqual([]);
  });

  it("rejects a far tier that cannot be written to", () => {
    const { near, source } = { near: new MemoryCache(), source: readOnly(new MemoryCache()) };
    expect(() => new TieredCache(near, source, { write: "back" })).toThrow(TypeError);
    expect(() => new TieredCache(near, source, { write: "sideways" as "none" })).toThrow(TypeError);
    expect(new TieredCache(near, source, { write: "none" }).tags).toBe(near.tags);
  });
});

class ReadOnlyFar extends FaultyFar {
  isReadOnly = false;

  override async createMote(wanted: Digest, type: string): Promise<Mote> {
    this.calls.push("createMote");
    if (this.isReadOnly) throw new MoteError("MOTE_UNWRITABLE", "access denied");
    return super.createMote(wanted, type);
  }
}

/** A cache that looks up many motes at once. */
class BulkCache extends MemoryCache {
  bulks = 0;
  finds = 0;
  lie: (() => ReadonlyMap<Digest, number>) | undefined;

  override async find(wanted: Digest, options?: Cancellable): Promise<MoteInfo | undefined> {
    this.finds++;
    return super.find(wanted, options);
  }

  async existing(wanted: Iterable<Digest>): Promise<ReadonlyMap<Digest, number>> {
    this.bulks++;
    if (this.lie !== undefined) return this.lie();
    const sizes = new Map<Digest, number>();
    for (const each of wanted) {
      const info = await super.find(each);
      if (info !== undefined) sizes.set(each, info.size);
    }
    return sizes;
  }
}

/** A cache whose answers are given by `answerAll`, one round trip at a time. */
class DistantCache extends MemoryCache {
  asked = 0;
  #waiting: (() => void)[] = [];

  override async find(wanted: Digest, options?: Cancellable): Promise<MoteInfo | undefined> {
    this.asked++;
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
    return super.find(wanted, options);
  }

  /** Answers until nothing is asked. Returns the number of round trips. */
  async answerAll(): Promise<number> {
    for (let trips = 0; ; trips++) {
      for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
      const waiting = this.#waiting;
      this.#waiting = [];
      if (waiting.length === 0) return trips;
      for (const resolve of waiting) resolve();
    }
  }
}

function readOnly(cache: MemoryCache) {
  return {
    moteExists: cache.moteExists.bind(cache),
    find: cache.find.bind(cache),
    moteRef: cache.moteRef.bind(cache),
    moteReader: cache.moteReader.bind(cache),
    moteReaderAt: cache.moteReaderAt.bind(cache),
  };
}
