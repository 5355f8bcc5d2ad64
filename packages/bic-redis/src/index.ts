export { examineRedis, type RedisFindings } from "./examine-redis.js";
export { RedisBlobInfoCache, type RedisBlobInfoCacheOptions } from "./redis-blob-info-cache.js";
export type { RedisConnectionOptions as RedisFetchLeasesOptions } from "./redis-connection.js";
export { RedisFetchLeases } from "./redis-fetch-leases.js";
