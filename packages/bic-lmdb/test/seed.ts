import { type Digest, digestBytes } from "@mote/core";
import { LmdbBlobInfoCache } from "../src/index.js";

export function digestOf(name: string | number): Digest {
  return digestBytes(new TextEncoder().encode(String(name)));
}

/** Writes a file with 200 facts. */
export async function writeSeed(path: string): Promise<void> {
  const cache = new LmdbBlobInfoCache(path);
  const numbers = Array.from({ length: 200 }, (_, i) => i);
  await Promise.all(numbers.map((i) => cache.recordKnownLocation("t", "s", digestOf(i), `location of ${i}`)));
  await cache.close();
}
