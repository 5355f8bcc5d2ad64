import { type Leases, type Membership, type MoteCache, MoteError, type MoteStore, type Uploads } from "@mote/core";

/** A cache that pushes can be stored in. */
export type PushCache = MoteStore &
  Partial<Leases> & {
    readonly membership: Membership;
    readonly uploads: Uploads;
  };

/** @throws MOTE_CONFIG if the cache cannot receive uploads, or does not record what belongs to which repository */
export function checkPushCache(cache: MoteCache): PushCache {
  const { membership, uploads } = cache;
  if (membership !== undefined && uploads !== undefined) return cache as MoteCache & PushCache;
  throw new MoteError("MOTE_CONFIG", "this cache cannot receive pushes; use a cache folder, or serve without pushes");
}
