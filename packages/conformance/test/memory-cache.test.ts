import { readFile, rm } from "node:fs/promises";
import { type Digest, MemoryCache } from "@mote/core";
import { describe, expect, it } from "vitest";
import { moteCacheSuite } from "../src/index.js";

class DamagedCache extends MemoryCache {
  damage(digest: Digest): void {
    const stored = this.stored.get(digest);
    if (stored !== undefined)
      this.stored.set(digest, { ...stored, bytes: stored.bytes.with(0, (stored.bytes[0] ?? 0) ^ 1) });
  }
}

moteCacheSuite({ describe, it, expect }, () => new DamagedCache({ files: { readFile, rm } }), {
  corrupt: async (cache, digest) => (cache as DamagedCache).damage(digest),
});
