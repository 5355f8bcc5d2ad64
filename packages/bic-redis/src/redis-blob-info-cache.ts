import { type BlobInfoCacheOptions, StoredBlobInfoCache } from "@mote/bic";
import { RedisConnection, type RedisConnectionOptions } from "./redis-connection.js";
import { RedisStorage } from "./redis-storage.js";

export interface RedisBlobInfoCacheOptions extends BlobInfoCacheOptions, RedisConnectionOptions {
  /** Locations last seen longer ago than this are removed. Default: 90 days. */
  readonly maxAgeMs?: number | undefined;
  /** Beyond this many facts, the oldest are removed when others are recorded. Default: 1,000,000, about 400 MB. */
  readonly maxFacts?: number | undefined;
}

const dayMs = 24 * 60 * 60 * 1000;
const defaultMaxAgeMs = 90 * dayMs;
const defaultMaxFacts = 1_000_000;

/** Stores a blob-info cache in Redis or Valkey, which many machines can share. */
export class RedisBlobInfoCache extends StoredBlobInfoCache {
  /**
   * Connects at first use. `url` is `redis://[USER:PASSWORD@]HOST[:PORT][/DB]`; `rediss:` for TLS; `redis-cluster://HOST:PORT,HOST:PORT` for a
   * cluster; `redis-sentinel://HOST:PORT,HOST:PORT/NAME[/DB]` for Sentinel (with TLS `rediss-cluster:` and `rediss-sentinel:`).
   * @throws MOTE_CONFIG for another URL
   */
  constructor(url: string, options: RedisBlobInfoCacheOptions = {}) {
    const { maxAgeMs = defaultMaxAgeMs, maxFacts = defaultMaxFacts, negativeMaxAgeMs = dayMs } = options;
    const connection = new RedisConnection(url, options);
    const bounds = { maxAgeMs, negativeMaxAgeMs, maxFacts };
    // Redis removes the oldest facts itself, so the rules need not.
    super(() => RedisStorage.open(connection, bounds), {
      ...options,
      maxAgeMs,
      negativeMaxAgeMs,
      maxFacts: undefined,
    });
    if (!(maxFacts >= 0)) throw new TypeError(`maxFacts is ${maxFacts}, but must be a number of 0 or more`);
  }
}
