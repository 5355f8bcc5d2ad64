import { digestBytes, MoteError, silentLogger } from "@mote/core";
import { describe, expect, it } from "vitest";
import type { FactReader, FactRows } from "./fact-rows.js";
import type { SequenceClock } from "./fact-storage.js";
import { MemoryStorage } from "./memory-storage.js";
import { StoredBlobInfoCache } from "./stored-blob-info-cache.js";

const digest = digestBytes(new Uint8Array());
const own = { canSubstitute: false };

/** Counts transactions, and throws `error` if it is set. */
class TestStorage extends MemoryStorage {
  writes = 0;
  closed = 0;
  error: Error | undefined;

  override read<Result>(query: (rows: FactReader) => Result): Result {
    if (this.error !== undefined) throw this.error;
    return super.read(query);
  }

  override write<Result>(change: (rows: FactRows, clock: SequenceClock) => Result): Result {
    this.writes++;
    if (this.error !== undefined) throw this.error;
    return super.write(change);
  }

  override async close(): Promise<void> {
    this.closed++;
  }
}

describe("StoredBlobInfoCache", () => {
  it("opens its storage once, at first use, and closes it once", async () => {
    const storage = new TestStorage();
    let opened = 0;
    const cache = new StoredBlobInfoCache(async () => {
      opened++;
      return storage;
    });
    expect(opened).toBe(0);
    await Promise.all([cache.untransformedDigest(digest), cache.open(), cache.statistics()]);
    await Promise.all([cache.close(), cache.close()]);
    expect([opened, storage.closed]).toEqual([1, 1]);
  });

  it("completes calls that were made before close, even if the storage was not open yet", async () => {
    const storage = new TestStorage();
    const cache = new StoredBlobInfoCache(async () => storage);
    const found = cache.untransformedDigest(digest);
    const closed = cache.close();
    expect(await found).toBe(undefined);
    await closed;
    expect(storage.closed).toBe(1);
  });

  it("opens the storage again after a failed open", async () => {
    let tries = 0;
    const cache = new StoredBlobInfoCache(async () => {
      if (tries++ === 0) throw new MoteError("MOTE_IO", "not now");
      return new MemoryStorage();
    });
    await expect(cache.open()).rejects.toMatchObject({ code: "MOTE_IO" });
    expect(await cache.untransformedDigest(digest)).toBe(undefined);
  });

  it("writes the records of one turn of the event loop in one transaction", async () => {
    const storage = new TestStorage();
    const cache = new StoredBlobInfoCache(async () => storage);
    await Promise.all(["1", "2", "3"].map((location) => cache.recordKnownLocation("t", "s", digest, location)));
    expect(storage.writes).toBe(1);
  });

  it("rejects all records of a failed transaction, and continues with the next", async () => {
    const storage = new TestStorage();
    const cache = new StoredBlobInfoCache(async () => storage);
    storage.error = new MoteError("MOTE_NO_SPACE", "full");
    const record = (location: string) => cache.recordKnownLocation("t", "s", digest, location);
    const outcomes = await Promise.allSettled([record("1"), record("2")]);
    expect(outcomes.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    storage.error = undefined;
    await record("3");
    expect((await cache.candidateLocations("t", "s", digest, own)).length).toBe(1);
  });

  it("does not write a record whose signal is aborted in time", async () => {
    const cache = new StoredBlobInfoCache(async () => new MemoryStorage());
    const controller = new AbortController();
    const reason = new Error("enough");
    const aborted = cache.recordKnownLocation("t", "s", digest, "1", { signal: controller.signal });
    const recorded = cache.recordKnownLocation("t", "s", digest, "2");
    controller.abort(reason);
    await expect(aborted).rejects.toBe(reason);
    await recorded;
    expect((await cache.candidateLocations("t", "s", digest, own)).map(({ location }) => location)).toEqual(["2"]);
  });

  it("closes a damaged storage and repeats the call with a new one, once", async () => {
    const storages = [new TestStorage(), new TestStorage()];
    let opened = 0;
    const cache = new StoredBlobInfoCache(async () => storages[opened++] ?? new TestStorage());
    await cache.recordKnownLocation("t", "s", digest, "1");
    const [first, second] = storages;
    if (first !== undefined) first.error = new MoteError("MOTE_CORRUPT", "torn");
    expect(await cache.candidateLocations("t", "s", digest, own)).toEqual([]);
    expect([first?.closed, opened]).toEqual([1, 2]);
    if (second !== undefined) second.error = new MoteError("MOTE_IO", "no");
    await expect(cache.candidateLocations("t", "s", digest, own)).rejects.toMatchObject({ code: "MOTE_IO" });
    expect(second?.closed).toBe(0);
  });

  it("hides locations older than maxAgeMs", async () => {
    let nowMs = 1_000;
    const cache = new StoredBlobInfoCache(async () => new MemoryStorage(), { maxAgeMs: 500, now: () => nowMs });
    await cache.recordKnownLocation("t", "s", digest, "1");
    nowMs = 1_500;
    expect((await cache.candidateLocations("t", "s", digest, own)).length).toBe(1);
    nowMs = 1_501;
    expect(await cache.candidateLocations("t", "s", digest, own)).toEqual([]);
  });

  it("removes the oldest tenth beyond maxFacts", async () => {
    let onExpired = () => {};
    const expired = new Promise<void>((resolve) => {
      onExpired = resolve;
    });
    const logger = { ...silentLogger, debug: () => onExpired() };
    const cache = new StoredBlobInfoCache(async () => new MemoryStorage(), { maxFacts: 100, logger });
    for (let i = 0; i < 101; i++) await cache.recordKnownLocation("t", "s", digest, `${i}`);
    await expired;
    const found = await cache.candidateLocations("t", "s", digest, own);
    expect([found.length, found[0]?.location, found.at(-1)?.location]).toEqual([90, "100", "11"]);
  });

  it("ignores negative records older than negativeMaxAgeMs", async () => {
    let nowMs = 1_000;
    const now = () => nowMs;
    const old = new StoredBlobInfoCache(async () => new MemoryStorage(), { now });
    await old.recordKnownLocation("t", "s", digest, "1");
    const text: string[] = [];
    for await (const line of old.export()) text.push(line);
    const cache = new StoredBlobInfoCache(async () => new MemoryStorage(), { now, negativeMaxAgeMs: 500 });
    nowMs = 2_000;
    await cache.removeKnownLocation("t", "s", digest, "1");
    nowMs = 2_500;
    await cache.merge(text);
    expect(await cache.candidateLocations("t", "s", digest, own)).toEqual([]);
    nowMs = 2_501;
    await cache.merge(text);
    expect((await cache.candidateLocations("t", "s", digest, own)).length).toBe(1);
  });

  it("limits the times of merged facts to one day ahead", async () => {
    const ahead = new StoredBlobInfoCache(async () => new MemoryStorage(), { now: () => 8e12 });
    await ahead.recordKnownLocation("t", "s", digest, "ahead");
    const cache = new StoredBlobInfoCache(async () => new MemoryStorage(), { now: () => 1_000 });
    for await (const line of ahead.export()) {
      if (line.includes("ahead")) await cache.merge(['{"format":"mote-blob-facts","version":1}\n', line]);
    }
    await cache.recordKnownLocation("t", "s", digest, "here");
    const found = await cache.candidateLocations("t", "s", digest, own);
    expect(found.map(({ location, lastSeenMs }) => [location, lastSeenMs])).toEqual([
      ["here", 1_000],
      ["ahead", 1_000 + 86_400_000],
    ]);
  });

  it("opens one new storage for several calls that find the damage", async () => {
    const storages = [new TestStorage(), new TestStorage()];
    let opened = 0;
    const cache = new StoredBlobInfoCache(async () => storages[opened++] ?? new TestStorage());
    await cache.open();
    const [first] = storages;
    if (first !== undefined) first.error = new MoteError("MOTE_CORRUPT", "torn");
    const query = () => cache.candidateLocations("t", "s", digest, own);
    expect(await Promise.all([query(), query(), query()])).toEqual([[], [], []]);
    expect([first?.closed, opened]).toEqual([1, 2]);
  });

  it("rejects bounds that are not numbers of 0 or more", () => {
    for (const bound of [-1, Number.NaN]) {
      for (const name of ["maxFacts", "maxAgeMs", "negativeMaxAgeMs"]) {
        expect(() => new StoredBlobInfoCache(async () => new MemoryStorage(), { [name]: bound })).toThrow(TypeError);
      }
    }
  });
});
