import { RedisBlobInfoCache } from "@mote/bic-redis";
import { type Digest, digestBytes } from "@mote/core";
import { isInstalled, startRedisServer } from "@mote/testbed";
import { Redis } from "ioredis";
import type { Comparison } from "./compare.js";

const count = 20_000;
const transport = "oci";
const scope = "Layer";

/** Compares the blob-info cache in Redis with a loop of commands of ioredis that store and read the same. */
export async function* redisSuite(): AsyncGenerator<Comparison, void, undefined> {
  if (!isInstalled("redis-server")) return;
  await using server = await startRedisServer();
  const bic = new RedisBlobInfoCache(server.url);
  const redis = new Redis(server.url);
  const digests = Array.from({ length: count }, (_, at) => digestBytes(new TextEncoder().encode(`blob ${at}`)));
  const locations = digests.map(locationOf);
  await bic.open();
  try {
    yield {
      title: "record locations, pipelined",
      unit: "operations",
      amount: count,
      goalPerSecond: 50_000,
      mote: {
        name: "mote",
        prepare: () => void redis.flushall(),
        run: () => fill(bic, digests, locations),
      },
      peer: {
        name: "ioredis, one HSET each",
        prepare: () => void redis.flushall(),
        run: async () => {
          const pipeline = redis.pipeline();
          for (const [at, digest] of digests.entries()) pipeline.hset(`raw:${digest}`, locations[at] ?? "", Date.now());
          await pipeline.exec();
        },
      },
    };
    yield {
      title: "look up candidates",
      unit: "operations",
      amount: count,
      goalPerSecond: 20_000,
      mote: {
        name: "mote",
        prepare: () => fill(bic, digests, locations),
        run: () =>
          lookUpAll(digests, (digest) => bic.candidateLocations(transport, scope, digest, { canSubstitute: false })),
      },
      peer: {
        name: "ioredis, one HGETALL each",
        prepare: async () => {
          const pipeline = redis.pipeline();
          for (const [at, digest] of digests.entries()) pipeline.hset(`raw:${digest}`, locations[at] ?? "", Date.now());
          await pipeline.exec();
        },
        run: () => lookUpAll(digests, async (digest) => Object.keys(await redis.hgetall(`raw:${digest}`))),
      },
    };
  } finally {
    await bic.close();
    redis.disconnect();
  }
}

const locationOf = (digest: Digest) => `docker://registry.example/team/project/app-${digest.slice(-4)}:1.0`;

async function fill(bic: RedisBlobInfoCache, digests: readonly Digest[], locations: readonly string[]): Promise<void> {
  await Promise.all(
    digests.map((digest, at) => bic.recordKnownLocation(transport, scope, digest, locations[at] ?? "")),
  );
}

/** Looks up all digests, 100 at a time. */
async function lookUpAll(
  digests: readonly Digest[],
  lookUp: (digest: Digest) => Promise<{ readonly length: number }>,
): Promise<void> {
  const left = digests.values();
  await Promise.all(
    Array.from({ length: 100 }, async () => {
      for (const digest of left) if ((await lookUp(digest)).length !== 1) throw new Error(`${digest} is not known`);
    }),
  );
}
