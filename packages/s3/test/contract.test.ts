import { fetchLeasesSuite, membershipSuite, moteCacheSuite, tagStoreSuite, useSharedCache } from "@mote/conformance";
import type { Digest, Membership, MoteCache, TagStore } from "@mote/core";
import type { S3Server } from "@mote/testbed";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { S3Cache, type S3CacheOptions } from "../src/index.js";
import { optionsOf, servers } from "./servers.js";

describe.each(servers)("$name $missing", ({ start, missing }) => {
  let server: S3Server;
  let bucket: string;
  const options = new WeakMap<object, S3CacheOptions>();

  beforeAll(async () => {
    if (missing !== "") return;
    server = await start();
    bucket = await server.createBucket();
  }, 120_000);
  afterAll(async () => await server?.stop());

  const open = (of: S3CacheOptions): S3Cache => {
    const cache = new S3Cache(of);
    for (const part of [cache, cache.tags, cache.membership, cache.fetchLeases]) options.set(part, of);
    return cache;
  };
  const another = (part: object): S3Cache => {
    const of = options.get(part);
    if (of === undefined) throw new Error("not a part of a cache of this test");
    return open(of);
  };
  const create = () => open(optionsOf(server, bucket));
  const corrupt = async (cache: MoteCache, digest: Digest) => {
    const path = new URL(cache.moteRef(digest)).pathname.slice(1);
    const bytes = new Uint8Array(await (await server.send("GET", path)).arrayBuffer());
    const changed = bytes.with(bytes.byteLength >> 1, (bytes[bytes.byteLength >> 1] ?? 0) ^ 1);
    expect((await server.send("PUT", path, { body: changed })).ok).toBe(true);
  };

  describe.skipIf(missing !== "")("with real objects", () => {
    moteCacheSuite({ describe, it, expect }, create, { corrupt, reopen: another });
    tagStoreSuite({ describe, it, expect }, () => create().tags, { reopen: (store: TagStore) => another(store).tags });
    membershipSuite({ describe, it, expect }, () => create().membership, {
      reopen: (membership: Membership) => another(membership).membership,
    });

    fetchLeasesSuite({ describe, it, expect }, () => create().fetchLeases, {
      reopen: (leases) => another(leases).fetchLeases,
      plant: async (leases, where, text) => {
        const key = where === "secret" ? "secret" : where.replace(":", "/");
        const path = `${bucket}/${options.get(leases)?.prefix}/fetches/${key}.json`;
        expect((await server.send("PUT", path, { body: new TextEncoder().encode(text) })).ok).toBe(true);
      },
    });

    it("is complete for several clients that put, read, remove and prune at once", async () => {
      const shared = optionsOf(server, bucket);
      // Caches of one process share nothing but the bucket.
      await Promise.all(
        [1, 2, 3].map(async (seed) => {
          await using cache = open(shared);
          await useSharedCache(cache, { seed, steps: 60 });
        }),
      );
    });
  });
});
