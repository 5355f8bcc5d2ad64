import { silentLogger } from "@mote/core";
import type { TestApi } from "../test-api.js";
import type { BlobInfoCacheFactory, BlobInfoCacheSetup } from "./options.js";
import { codeOf, gzip, plain, transport } from "./rule-tests.js";

/** Tests `open` and `close`. */
export function lifeCycle({ it, expect }: TestApi, factory: BlobInfoCacheFactory): void {
  const setup: BlobInfoCacheSetup = { logger: silentLogger, now: Date.now };

  it("opens and closes repeatedly, and closes without open", async () => {
    const cache = await factory(setup);
    await cache.open();
    await cache.open();
    await cache.close();
    await cache.close();
    await cache[Symbol.asyncDispose]();
    const unopened = await factory(setup);
    await unopened.close();
  });

  it("rejects every method except close with MOTE_CLOSED after close", async () => {
    const cache = await factory(setup);
    await cache.recordKnownLocation(transport, "A", gzip, "here");
    await cache.close();
    const calls = [
      () => cache.open(),
      () => cache.untransformedDigest(plain),
      () => cache.recordDigestUntransformedPair(gzip, plain),
      () => cache.recordDigestTransformerName(gzip, "gzip"),
      () => cache.recordKnownLocation(transport, "A", gzip, "here"),
      () => cache.candidateLocations(transport, "A", gzip, { canSubstitute: false }),
    ];
    for (const call of calls) expect(await codeOf(call)).toBe("MOTE_CLOSED");
  });

  it("waits in close for records that were made before", async () => {
    const cache = await factory(setup);
    const records = [1, 2, 3].map((n) => cache.recordKnownLocation(transport, "A", gzip, `${n}`));
    await cache.close();
    expect(await Promise.all(records)).toEqual([undefined, undefined, undefined]);
  });
}
