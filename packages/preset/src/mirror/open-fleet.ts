import { type Digest, type FetchLeases, type MoteCache, MoteError } from "@mote/core";
import type { FleetOptions } from "@mote/mirror";
import type { ServedFleet } from "@mote/server";
import { connectionOptions, type RegistriesOptions } from "../endpoints/registries-options.js";
import type { Tier } from "../tiers/open-tier.js";
import { HttpMembers } from "./fleet-members.js";
import { checkFleetSecret, storedFleetSecret } from "./fleet-secret.js";

/** What several machines share, by which they can be a fleet. */
export interface SharedStores {
  /** The address of a Redis. */
  readonly redis: string | undefined;
  readonly tier: Tier | undefined;
  /** Contains what another member writes to the tier. */
  readonly followed: Set<Digest>;
}

export interface FleetSettings {
  readonly url: string;
  readonly secret: string | undefined;
  readonly leases: FetchLeases | undefined;
}

export interface OpenedFleet extends AsyncDisposable {
  readonly served: ServedFleet;
  readonly followed: FleetOptions;
}

/** Opens what a member of a fleet needs. @throws MOTE_CONFIG */
export async function openFleet(
  { url: given, secret, leases: injected }: FleetSettings,
  {
    cache,
    shared,
    registries = {},
  }: {
    readonly cache: MoteCache;
    readonly shared: SharedStores;
    readonly registries: RegistriesOptions | undefined;
  },
): Promise<OpenedFleet> {
  const url = fleetUrl(given);
  if (cache.followMote === undefined) {
    throw new MoteError("MOTE_CONFIG", "a member of a fleet needs a cache directory, from which the others read");
  }
  const { hostCertificates } = await import("@mote/registry");
  const { leases, owned } = await openLeases(injected, shared);
  const checked = secret === undefined ? undefined : checkFleetSecret(secret);
  const secretOf = checked === undefined ? storedFleetSecret(leases) : async () => checked;
  const members = new HttpMembers({
    url,
    secret: secretOf,
    connections: connectionOptions(registries, hostCertificates),
  });
  const { tier, followed } = shared;
  return {
    served: { url, secret: secretOf },
    followed: { leases, url, members, tier, followed },
    async [Symbol.asyncDispose]() {
      await members[Symbol.asyncDispose]();
      await owned?.[Symbol.asyncDispose]();
    },
  };
}

/** Returns the URL as all members write it. @throws MOTE_CONFIG */
function fleetUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isPlain = url !== undefined && `${url.username}${url.password}${url.search}${url.hash}` === "";
  // URLs may have hosts that no Host header has.
  const isHost = isPlain && /^[\w.:[\]-]+$/.test(url.hostname);
  if (isHost && /^https?:$/.test(url.protocol)) return url.href.replace(/\/+$/, "");
  throw new MoteError(
    "MOTE_CONFIG",
    "the URL at which the other members reach this one is not valid; use http://HOST:PORT or https://HOST:PORT",
  );
}

/** Returns the error for one of several mirrors that mirrors nothing. */
export function withoutUpstreams(): MoteError {
  return new MoteError("MOTE_CONFIG", "a member of a fleet needs upstreams");
}

/** Prefers Redis, which is faster. @throws MOTE_CONFIG without any */
async function openLeases(
  injected: FetchLeases | undefined,
  { redis, tier }: SharedStores,
): Promise<{ readonly leases: FetchLeases; readonly owned?: AsyncDisposable }> {
  if (injected !== undefined) return { leases: injected };
  if (redis !== undefined) {
    const { RedisFetchLeases } = await import("@mote/bic-redis");
    const leases = new RedisFetchLeases(redis);
    return { leases, owned: leases };
  }
  if (tier !== undefined && hasLeases(tier)) return { leases: tier.fetchLeases };
  throw new MoteError(
    "MOTE_CONFIG",
    "a fleet needs a shared bucket or Redis; use --tier s3://BUCKET or --bic redis://HOST",
  );
}

function hasLeases(tier: Tier): tier is Tier & { readonly fetchLeases: FetchLeases } {
  return "fetchLeases" in tier && tier.fetchLeases !== undefined;
}
