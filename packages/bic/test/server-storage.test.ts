import { digestBytes, MoteError } from "@mote/core";
import { describe, expect, it, vi } from "vitest";
import { StoredBlobInfoCache } from "../src/index.js";
import { FactServer, ServerStorage } from "./server-storage.js";

const digestOf = (name: string | number) => digestBytes(new TextEncoder().encode(String(name)));
const digest = digestOf("layer");
const own = { canSubstitute: false };

describe("StoredBlobInfoCache over a storage on a server", () => {
  it("sends two messages for the records of one turn of the event loop, and one to look up a digest", async () => {
    const server = new FactServer();
    await using cache = new StoredBlobInfoCache(async () => new ServerStorage(server));
    const names = Array.from({ length: 15 }, (_, at) => at);
    await Promise.all(names.map((name) => cache.recordKnownLocation("t", "s", digestOf(name), "here")));
    expect(server.messages).toBe(2);
    expect((await cache.candidateLocations("t", "s", digestOf(7), own)).length).toBe(1);
    expect(server.messages).toBe(3);
  });

  it("loses no record when two clients write the same rows concurrently", async () => {
    const server = new FactServer();
    await using one = new StoredBlobInfoCache(async () => new ServerStorage(server));
    await using two = new StoredBlobInfoCache(async () => new ServerStorage(server));
    for (let round = 0; round < 20; round++) {
      await Promise.all([
        one.recordDigestUntransformedPair(digest, digestOf("plain")),
        two.recordDigestTransformerName(digest, "gzip"),
        one.recordKnownLocation("t", "s", digest, `one ${round}`),
        two.recordKnownLocation("t", "s", digest, `two ${round}`),
        two.recordKnownLocation("t", "s", digest, "both"),
        one.recordKnownLocation("t", "s", digest, "both"),
      ]);
    }
    const { locations, pairs, transformers } = await one.statistics();
    expect({ locations, pairs, transformers }).toEqual({ locations: 41, pairs: 2, transformers: 1 });
  });

  it("loses no acknowledged record when some messages fail, and reports each error to its caller", async () => {
    const server = new FactServer();
    await using cache = new StoredBlobInfoCache(async () => new ServerStorage(server));
    server.onMessage = async () => {
      if (server.messages % 5 === 0) throw new MoteError("MOTE_IO", "connection reset");
    };
    const recorded: number[] = [];
    const codes = new Set<unknown>();
    for (let at = 0; at < 100; at++) {
      await cache.recordKnownLocation("t", "s", digestOf(at), "here").then(
        () => recorded.push(at),
        (error) => codes.add(error.code),
      );
    }
    expect([...codes]).toEqual(["MOTE_IO"]);
    server.onMessage = async () => {};
    for (const at of recorded) expect((await cache.candidateLocations("t", "s", digestOf(at), own)).length).toBe(1);
    expect(recorded.length).toBeGreaterThan(50);
  });

  it("replaces a damaged storage, and repeats the call that found the damage", async () => {
    const server = new FactServer();
    const storages: ServerStorage[] = [];
    await using cache = new StoredBlobInfoCache(async () => {
      storages.push(new ServerStorage(server));
      return storages.at(-1) as ServerStorage;
    });
    await cache.recordKnownLocation("t", "s", digest, "here");
    server.onMessage = async () => {
      if (storages.length === 1) throw new MoteError("MOTE_CORRUPT", "replaced");
    };
    expect((await cache.candidateLocations("t", "s", digest, own)).length).toBe(1);
    expect(storages.map(({ isClosed }) => isClosed)).toEqual([true, false]);
  });

  it("does not close the storage during a call, neither when idle nor by close", async () => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
    try {
      const server = new FactServer();
      const storage = new ServerStorage(server, { idleMs: 100 });
      const cache = new StoredBlobInfoCache(async () => storage);
      await cache.open();
      let proceed = () => {};
      server.onMessage = () =>
        new Promise((resolve) => {
          proceed = resolve;
        });
      const found = cache.candidateLocations("t", "s", digest, own);
      await vi.waitFor(() => expect(server.messages).toBe(1), { timeout: 30_000 });
      vi.advanceTimersByTime(1_000);
      const closed = cache.close();
      await new Promise((resolve) => setImmediate(resolve));
      expect(storage.isClosed).toBe(false);
      proceed();
      expect(await found).toEqual([]);
      await closed;
      expect(storage.isClosed).toBe(true);
    } finally {
      vi.useRealTimers();
    }
  });
});
