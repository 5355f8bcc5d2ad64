import { parallelFetches } from "@mote/core";
import type { FleetOptions, Mirror } from "@mote/mirror";
import type { MirrorSettings } from "../mote.js";
import type { Parts } from "../parts.js";
import { RateLimits } from "../transfers/rate-limits.js";
import type { SizeBound } from "../transfers/size-bound.js";
import { checkUpstreams, upstreamRegistries } from "./upstream-registries.js";

/** Opens a mirror over the cache. @throws MOTE_INVALID_REFERENCE */
export async function openMirror(
  { upstreams, maxRate, connectionsPerBlob, ...settings }: MirrorSettings,
  {
    cache,
    tags,
    logger,
    endpoints,
    sizeBound,
    fleet,
  }: Pick<Parts, "cache" | "tags" | "logger" | "endpoints"> & {
    readonly sizeBound: SizeBound | undefined;
    readonly fleet: FleetOptions | undefined;
  },
): Promise<Mirror> {
  const { Mirror } = await import("@mote/mirror");
  const registries = await upstreamRegistries(upstreams, endpoints, new RateLimits(maxRate));
  checkUpstreams(registries, settings.defaultUpstream);
  return new Mirror({
    ...settings,
    ...{ cache, tags, logger, fleet, parallelFetches: parallelFetches({ connectionsPerBlob, logger }) },
    onStored: (bytes) => sizeBound?.enforce(bytes),
    onFull: () => sizeBound?.freeDiskSpace(),
    upstreams: registries,
  });
}
