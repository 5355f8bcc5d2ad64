import { type Digest, digestBytes, MoteError } from "@mote/core";
import type { RedisServer } from "@mote/testbed";
import { Redis } from "ioredis";
import type { RedisBlobInfoCache } from "../src/index.js";

export function digestOf(name: string | number): Digest {
  return digestBytes(new TextEncoder().encode(String(name)));
}

/** Records one location of the blob `name`. */
export function record(cache: RedisBlobInfoCache, name: string | number, location = "here"): Promise<void> {
  return cache.recordKnownLocation("t", "s", digestOf(name), location);
}

/** Returns the locations of the blob `name`, newest first. */
export async function locationsOf(cache: RedisBlobInfoCache, name: string | number): Promise<(string | undefined)[]> {
  const found = await cache.candidateLocations("t", "s", digestOf(name), { canSubstitute: false });
  return found.map(({ location }) => location);
}

export async function errorOf(call: Promise<unknown>): Promise<MoteError> {
  try {
    await call;
  } catch (error) {
    if (MoteError.isInstance(error)) return error;
    throw error;
  }
  throw new Error("the call succeeded");
}

/** Runs commands on a server directly. */
export async function withCommands<Result>(
  { port }: Pick<RedisServer, "port">,
  use: (redis: Redis) => Promise<Result>,
): Promise<Result> {
  const redis = new Redis(port);
  try {
    return await use(redis);
  } finally {
    redis.disconnect();
  }
}
