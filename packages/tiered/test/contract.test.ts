import { mkdtempSync, rmSync } from "node:fs";
import { chmod, open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { moteCacheSuite, moteSourceSuite } from "@mote/conformance";
import { type Digest, MemoryCache, type MoteCache, type MoteSource, NilCache, writeMote } from "@mote/core";
import { FileCache } from "@mote/fs";
import { afterAll, describe, expect, it } from "vitest";
import { TieredCache, type TierWrite } from "../src/index.js";

const root = mkdtempSync(join(tmpdir(), "mote-tiered-"));
afterAll(() => rmSync(root, { recursive: true }));
const newFolder = () => mkdtempSync(join(root, "cache-"));

async function corrupt(source: MoteSource, digest: Digest): Promise<void> {
  const path = source.moteRef(digest);
  await chmod(path, 0o644);
  await using file = await open(path, "r+");
  const byte = new Uint8Array(1);
  await file.read(byte, 0, 1, 100);
  await file.write(
    byte.map((value) => value ^ 1),
    0,
    1,
    100,
  );
}

describe.each<TierWrite>(["none", "through", "back"])("TieredCache that writes %s", (write) => {
  const folders = new WeakMap<MoteCache, string>();
  // The far tier verifies what it gets and keeps nothing: removing and pruning concern the near cache alone.
  const make = (folder: string) => {
    const near = new FileCache(folder);
    // Otherwise a prune waits for the background.
    Object.defineProperty(near, "waiting", { value: undefined });
    const cache = new TieredCache(near, new NilCache(), { write });
    folders.set(cache, folder);
    return cache;
  };
  moteCacheSuite({ describe, it, expect }, () => make(newFolder()), {
    corrupt,
    reopen: (cache) => make(folders.get(cache) ?? ""),
  });
});

describe("TieredCache over two caches in memory", () => {
  moteCacheSuite({ describe, it, expect }, async () => {
    const { readFile, rm } = await import("node:fs/promises");
    return new TieredCache(new MemoryCache({ files: { readFile, rm } }), new MemoryCache(), { write: "none" });
  });
});

const nears: Record<string, () => MoteCache> = {
  "a folder": () => new FileCache(newFolder()),
  memory: () => new MemoryCache(),
  "nothing that stores": () => new NilCache(),
};
describe.each(Object.keys(nears))("TieredCache whose content is in the far tier, near is %s", (near) => {
  moteSourceSuite({ describe, it, expect }, async (content) => {
    const far = new MemoryCache();
    for (const { digest, bytes } of content) await writeMote(far, { digest, mediaType: "text/plain" }, bytes);
    const cache = new TieredCache(nears[near]?.() ?? new NilCache(), far, { write: "none" });
    await cache.initialize();
    return cache;
  });
});
