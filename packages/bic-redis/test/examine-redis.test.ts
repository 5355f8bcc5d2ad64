import { needs, startRedisServer } from "@mote/testbed";
import { describe, expect, it } from "vitest";
import { examineRedis } from "../src/index.js";

const missing = needs("redis-server");

describe.skipIf(missing !== "")(`examineRedis${missing}`, () => {
  it("says which server it is and how it uses its memory", async () => {
    await using server = await startRedisServer({ settings: { maxmemory: "64mb", "maxmemory-policy": "allkeys-lru" } });
    expect(await examineRedis(server.url)).toEqual({
      server: expect.stringMatching(/^(?:Redis|Valkey) \d+\./),
      isSupported: true,
      maxMemoryBytes: 64 * 1024 * 1024,
      evictionPolicy: "allkeys-lru",
    });
  });

  it("says why it cannot be written to", async () => {
    await using server = await startRedisServer({ settings: { "min-replicas-to-write": "1" } });
    const found = await examineRedis(server.url);
    expect(found).toMatchObject({ maxMemoryBytes: 0, writeError: { code: "MOTE_UNWRITABLE" } });
  });

  it("throws MOTE_UNREACHABLE if it does not run", async () => {
    await expect(examineRedis("redis://127.0.0.1:1", { timeoutMs: 500 })).rejects.toMatchObject({
      code: "MOTE_UNREACHABLE",
    });
  });
});
