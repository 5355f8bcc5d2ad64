export type { FillOptions } from "./fills.js";
export { TieredCache, type TieredCacheOptions, type TierWrite } from "./tiered-cache.js";
export type { WriteReport } from "./write-back.js";
