import { mkdtempSync, rmSync } from "node:fs";
import { chmod, open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { moteCacheSuite, tagStoreSuite } from "@mote/conformance";
import type { Digest, MoteCache, TagStore } from "@mote/core";
import { afterAll, describe, expect, it } from "vitest";
import { FileCache, type FileCacheOptions } from "../src/index.js";

const root = mkdtempSync(join(tmpdir(), "mote-contract-"));
afterAll(() => rmSync(root, { recursive: true }));

async function corrupt(cache: MoteCache, digest: Digest): Promise<void> {
  const path = cache.moteRef(digest);
  await chmod(path, 0o644);
  const file = await open(path, "r+");
  const byte = new Uint8Array(1);
  await file.read(byte, 0, 1, 100);
  await file.write(
    byte.map((value) => value ^ 1),
    0,
    1,
    100,
  );
  await file.close();
}

const variants: Record<string, FileCacheOptions> = {
  "by default": {},
  "with every name synced": { durability: "synced" },
  "with asynchronous calls and links on read": { durability: "visible", synchronous: false, linkOnRead: true },
};
for (const [name, options] of Object.entries(variants)) {
  describe(`FileCache ${name}`, () => {
    const folders = new WeakMap<MoteCache, string>();
    const make = (folder: string) => {
      const cache = new FileCache(folder, options);
      folders.set(cache, folder);
      return cache;
    };
    moteCacheSuite({ describe, it, expect }, () => make(mkdtempSync(join(root, "cache-"))), {
      corrupt,
      reopen: (cache) => make(folders.get(cache) ?? ""),
    });
  });
}

describe("the tags of a FileCache", () => {
  const folders = new WeakMap<TagStore, string>();
  const make = (folder: string) => {
    const store = new FileCache(folder).tags;
    folders.set(store, folder);
    return store;
  };
  tagStoreSuite({ describe, it, expect }, () => make(mkdtempSync(join(root, "tags-"))), {
    reopen: (store) => make(folders.get(store) ?? ""),
  });
});
