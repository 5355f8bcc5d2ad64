export { examineRedis, type RedisFindings } from "./examine-redis.js";
export { RedisBlobInfoCache, type RedisBlobInfoCacheOptions } from "./redis-blob-info-cache.js";
export { RedisFetchLeases, type RedisFetchLeasesOptions } from "./redis-fetch-leases.js";
