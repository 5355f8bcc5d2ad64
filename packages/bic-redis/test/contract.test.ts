import { blobInfoCacheSuite, fetchLeasesSuite } from "@mote/conformance";
import { needs, type RedisServer, startRedisServer } from "@mote/testbed";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { RedisBlobInfoCache, RedisFetchLeases } from "../src/index.js";
import { withCommands } from "./setup.js";

const skip = needs("redis-server");
let server: RedisServer;
let prefixes = 0;
const nextPrefix = () => `test ${prefixes++}`;

describe.skipIf(skip)(`RedisBlobInfoCache over a real server${skip}`, () => {
  beforeAll(async () => {
    server = await startRedisServer();
  });
  afterAll(() => server.stop());

  describe("by default", () => {
    blobInfoCacheSuite({ describe, it, expect }, () => new RedisBlobInfoCache(server.url, { prefix: nextPrefix() }));
  });

  describe("with the logger and the clock of the tests", () => {
    // The times of the tests are decades ago.
    blobInfoCacheSuite(
      { describe, it, expect },
      (setup) => {
        const prefix = nextPrefix();
        return new RedisBlobInfoCache(server.url, { ...setup, prefix, maxAgeMs: Number.POSITIVE_INFINITY });
      },
      { acceptsSetup: true },
    );
  });

  describe("leases", () => {
    const prefixOf = new WeakMap<RedisFetchLeases, string>();
    const create = (prefix = nextPrefix()) => {
      const leases = new RedisFetchLeases(server.url, { prefix });
      prefixOf.set(leases, prefix);
      return leases;
    };
    fetchLeasesSuite({ describe, it, expect }, () => create(), {
      reopen: (leases) => create(prefixOf.get(leases)),
      plant: async (leases, where, text) => {
        const name = where === "secret" ? "fetch-secret" : `fetch:${where}`;
        await withCommands(server, (redis) => redis.set(`{${prefixOf.get(leases)}}:${name}`, text));
      },
    });
  });
});
