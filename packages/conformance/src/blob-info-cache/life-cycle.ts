import { silentLogger } from "@mote/core";
import { errorCodesOf } from "../sample-motes.js";
import type { TestApi } from "../test-api.js";
import type { BlobInfoCacheFactory, BlobInfoCacheSetup } from "./options.js";
import { callsOf, gzip, record } from "./rule-tests.js";

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
    await record(cache, "here");
    await cache.close();
    expect(await errorCodesOf([() => cache.open(), ...callsOf(cache, gzip)])).toEqual(["MOTE_CLOSED"]);
  });

  it("waits in close for records that were made before", async () => {
    const cache = await factory(setup);
    const records = [1, 2, 3].map((n) => record(cache, `${n}`));
    await cache.close();
    expect(await Promise.all(records)).toEqual([undefined, undefined, undefined]);
  });
}
