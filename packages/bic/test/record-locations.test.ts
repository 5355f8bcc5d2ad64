import { digestBytes, MoteError } from "@mote/core";
import { describe, expect, it } from "vitest";
import { applyFact, type LocationFact, MemoryStorage, StoredBlobInfoCache } from "../src/index.js";

const digest = digestBytes(new TextEncoder().encode("layer"));
const own = { canSubstitute: false };

/** A storage whose server records locations, each call when the test says so. */
class LocationStorage extends MemoryStorage {
  readonly calls: { readonly locations: readonly string[]; readonly end: (error?: Error) => void }[] = [];
  /** Resolves when there are so many calls. */
  readonly reached = new Map<number, () => void>();

  recordLocations(facts: readonly LocationFact[]): Promise<void> {
    this.write((rows, clock) => {
      for (const fact of facts) {
        const sequence = clock.next(fact.lastSeenMs);
        applyFact(rows, { ...fact, sequence }, { warn: () => undefined, oldestNegativeMs: 0 });
      }
    });
    const locations = facts.map(({ location }) => location);
    return new Promise((resolve, reject) => {
      this.calls.push({ locations, end: (error) => (error ? reject(error) : resolve()) });
      this.reached.get(this.calls.length)?.();
    });
  }

  hasCalls(count: number): Promise<void> {
    if (this.calls.length >= count) return Promise.resolve();
    return new Promise((resolve) => this.reached.set(count, resolve));
  }
}

function recordAll(cache: StoredBlobInfoCache, first: number, count: number): Promise<void>[] {
  return Array.from({ length: count }, (_, at) => cache.recordKnownLocation("t", "s", digest, String(first + at)));
}

describe("StoredBlobInfoCache over a storage that records locations", () => {
  it("makes four calls at a time, in the order of the records", async () => {
    const storage = new LocationStorage();
    await using cache = new StoredBlobInfoCache(async () => storage);
    const recorded = Promise.all(recordAll(cache, 0, 3000));
    await storage.hasCalls(4);
    await new Promise((resolve) => setImmediate(resolve));
    expect(storage.calls.length).toBe(4);
    storage.calls[0]?.end();
    await storage.hasCalls(5);
    storage.calls[1]?.end();
    await storage.hasCalls(6);
    for (const { end } of storage.calls) end();
    await recorded;
    expect(storage.calls.flatMap(({ locations }) => locations)).toEqual(
      Array.from({ length: 3000 }, (_, at) => `${at}`),
    );
    const found = await cache.candidateLocations("t", "s", digest, { ...own, max: 2 });
    expect(found.map(({ location }) => location)).toEqual(["2999", "2998"]);
  });

  it("waits for these calls before it writes other facts", async () => {
    const storage = new LocationStorage();
    await using cache = new StoredBlobInfoCache(async () => storage);
    const locations = recordAll(cache, 0, 600);
    const name = cache.recordDigestTransformerName(digest, "gzip");
    await storage.hasCalls(1);
    await new Promise((resolve) => setImmediate(resolve));
    expect(storage.calls.length).toBe(1);
    expect(storage.counts()).toMatchObject({ locations: 512, transformers: 0 });
    storage.calls[0]?.end();
    await Promise.all([...locations, name]);
    expect(storage.counts()).toMatchObject({ locations: 600, transformers: 1 });
  });

  it("reports an error to the callers of the call that failed, and continues", async () => {
    const storage = new LocationStorage();
    await using cache = new StoredBlobInfoCache(async () => storage);
    const settled = Promise.allSettled(recordAll(cache, 0, 1000));
    await storage.hasCalls(2);
    storage.calls[0]?.end(new MoteError("MOTE_UNREACHABLE", "the server is down"));
    storage.calls[1]?.end();
    const codes = (await settled).map((result) => (result.status === "rejected" ? result.reason.code : "recorded"));
    expect(codes).toEqual(Array.from({ length: 1000 }, (_, at) => (at < 512 ? "MOTE_UNREACHABLE" : "recorded")));
    const later = cache.recordKnownLocation("t", "s", digest, "later");
    await storage.hasCalls(3);
    storage.calls[2]?.end();
    await later;
  });

  it("does not record what was aborted while it waited, and rejects it", async () => {
    const storage = new LocationStorage();
    await using cache = new StoredBlobInfoCache(async () => storage);
    const aborting = new AbortController();
    const aborted = cache.recordKnownLocation("t", "s", digest, "aborted", { signal: aborting.signal });
    const recorded = cache.recordKnownLocation("t", "s", digest, "recorded");
    aborting.abort(new Error("aborted"));
    await storage.hasCalls(1);
    storage.calls[0]?.end();
    await expect(aborted).rejects.toThrow("aborted");
    await recorded;
    expect(storage.calls.map(({ locations }) => locations)).toEqual([["recorded"]]);
  });

  it("reports to every caller that the storage cannot be opened", async () => {
    await using cache = new StoredBlobInfoCache(async () => {
      throw new MoteError("MOTE_UNREACHABLE", "the server is down");
    });
    const settled = await Promise.allSettled(recordAll(cache, 0, 3000));
    const codes = settled.map((result) => (result.status === "rejected" ? result.reason.code : "recorded"));
    expect(new Set(codes)).toEqual(new Set(["MOTE_UNREACHABLE"]));
  });
});
