import { digestBytes, MemoryCache, type MoteSource, readMote, writeMote } from "@mote/core";
import { describe, expect, it } from "vitest";
import { TieredCache } from "../src/index.js";
import { collectWarnings, type Fault, FaultyFar, farCalls } from "./faulty-far.js";

const bytesOf = (name: string) => new TextEncoder().encode(name.repeat(500));
const [nearBytes, farBytes, newBytes] = [bytesOf("near"), bytesOf("far"), bytesOf("new")];
const [near, far, added] = [nearBytes, farBytes, newBytes].map((bytes) => digestBytes(bytes));
const mediaType = "application/octet-stream";
const maxBytes = 1_000_000;

const faults: readonly Fault[] = ["fails", "hangs", "lies"];
const cases = farCalls.flatMap((call) => faults.map((fault) => ({ call, fault })));

describe.each(cases)("if the far tier $fault in $call", (fault) => {
  it("a tiered cache serves what is near, stores what is written, and never delivers wrong bytes", async () => {
    if (near === undefined || far === undefined || added === undefined) return;
    const { logger } = collectWarnings();
    let nowMs = 0;
    const nearCache = new MemoryCache();
    const farCache = new FaultyFar();
    await writeMote(nearCache, { digest: near, mediaType }, nearBytes);
    await writeMote(farCache, { digest: far, mediaType }, farBytes);
    farCache.fault = fault;
    const cache = new TieredCache(nearCache, farCache, { write: "back", timeoutMs: 20, logger, now: () => nowMs });
    await cache.initialize();

    expect(await readMote(cache, near, { maxBytes })).toEqual(nearBytes);
    await writeMote(cache, { digest: added, mediaType }, newBytes);
    expect(await readMote(cache, added, { maxBytes })).toEqual(newBytes);
    await readOrFail(cache, far);
    await cache.existing([near, far, added]);
    const { waiting, written } = await cache.drain();
    expect(waiting + written).toBe(1);

    // What the tier could not take is written when it works again.
    farCache.fault = undefined;
    nowMs += 60_000;
    expect((await cache.drain()).waiting).toBe(0);
    expect(await readMote(farCache, added, { maxBytes })).toEqual(newBytes);
    await cache[Symbol.asyncDispose]();
  });
});

/** Reads a mote of the far tier: its bytes are right, or there is an error with a code. */
async function readOrFail(source: MoteSource, digest: ReturnType<typeof digestBytes>): Promise<void> {
  try {
    expect(await readMote(source, digest, { maxBytes })).toEqual(farBytes);
  } catch (error) {
    expect(["MOTE_NOT_FOUND", "MOTE_CORRUPT", "MOTE_IO", "MOTE_TIMEOUT", "MOTE_UNREACHABLE"]).toContain(
      Reflect.get(Object(error), "code"),
    );
  }
}
