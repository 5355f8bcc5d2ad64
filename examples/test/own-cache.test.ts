import { moteCacheSuite } from "@mote/conformance";
import { digestBytes, mediaTypes, writeMote } from "@mote/core";
import { describe, expect, it } from "vitest";
import { BoundedCache } from "../own-cache.js";

moteCacheSuite({ describe, it, expect }, () => new BoundedCache(1_000_000_000));

it("removes the least recently used motes if it exceeds its limit", async () => {
  const cache = new BoundedCache(10);
  const motes = [1, 2, 3].map((byte) => new Uint8Array(4).fill(byte));
  for (const bytes of motes) {
    const mote = { digest: digestBytes(bytes), mediaType: mediaTypes.octetStream, size: bytes.byteLength };
    await writeMote(cache, mote, bytes);
  }
  const found = await Promise.all(motes.map((bytes) => cache.moteExists(digestBytes(bytes))));
  expect(found).toEqual([false, true, true]);
});
