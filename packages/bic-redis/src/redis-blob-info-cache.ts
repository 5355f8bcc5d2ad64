import { type BlobInfoCacheOptions, StoredBlobInfoCache } from "@mote/bic";
import { RedisConnection, type TlsOptions } from "./redis-connection.js";
import { RedisStorage } from "./redis-storage.js";

export interface RedisBlobInfoCacheOptions extends BlobInfoCacheOptions {
  /** What the names of all keys begin with. Caches with the same prefix share their facts. Default `mote-bic`. */
  readonly prefix?: string | undefined;
  /** Locations last seen longer ago than this are removed. Default: 90 days. */
  readonly maxAgeMs?: number | undefined;
  /** Beyond this many facts, the oldest are removed when others are recorded. Default: 1,000,000, about 400 MB. */
  readonly maxFacts?: number | undefined;
  /** Milliseconds after which a call fails with MOTE_UNREACHABLE if Redis has not responded. Default 5,000. */
  readonly timeoutMs?: number | undefined;
  /** Certificates, for addresses with TLS. Default: those of Node. */
  readonly tls?: TlsOptions | undefined;
}

const dayMs = 24 * 60 * 60 * 1000;
const defaultMaxAgeMs = 90 * dayMs;
const defaultMaxFacts = 1_000_000;
const defaultTimeoutMs = 5_000;

/** Stores a blob-info cache in Redis or Valkey, which many machines can share. */
export class RedisBlobInfoCache extends StoredBlobInfoCache {
  /**
   * Connects at first use. `url` is `redis://[USER:PASSWORD@]HOST[:PORT][/DB]`; `rediss:` for TLS; `redis-cluster://HOST:PORT,HOST:PORT` for a
   * cluster; `redis-sentinel://HOST:PORT,HOST:PORT/NAME[/DB]` for Sentinel (with TLS `rediss-cluster:` and `rediss-sentinel:`).
   * @throws MOTE_CONFIG for another URL
   */
  constructor(url: string, options: RedisBlobInfoCacheOptions = {}) {
    const { prefix = "mote-bic", timeoutMs = defaultTimeoutMs, tls } = options;
    const { maxAgeMs = defaultMaxAgeMs, maxFacts = defaultMaxFacts, negativeMaxAgeMs = dayMs } = options;
    if (!(timeoutMs > 0)) throw new TypeError(`timeoutMs must be above 0, not ${timeoutMs}`);
    const connection = new RedisConnection(url, { timeoutMs, tls });
    const bounds = { maxAgeMs, negativeMaxAgeMs, maxFacts };
    // Redis removes the oldest facts itself, so the rules need not.
    super(() => RedisStorage.open(connection, prefix, bounds), {
      ...options,
      maxAgeMs,
      negativeMaxAgeMs,
      maxFacts: undefined,
    });
    if (!(maxFacts >= 0)) throw new TypeError(`maxFacts is ${maxFacts}, but must be a number of 0 or more`);
  }
}
