import { MoteError } from "@mote/core";
import type { UpstreamRegistry } from "@mote/mirror";
import type { Endpoints } from "../endpoints/endpoints.js";
import { limitedReads, limitedSource, type RateLimits } from "../transfers/rate-limits.js";
import { FirstWithBlob } from "./first-with-blob.js";
import { UpstreamCounters } from "./upstream-counters.js";

/** An upstream of a mirror: its name in references, and where it is reached. */
interface UpstreamAddress {
  readonly name: string;
  /** Where it is reached. Default: under its name. */
  readonly url: string | undefined;
}

const dockerHub = { aliases: ["index.docker.io", "registry-1.docker.io"], implicitNamespace: "library" };

/**
 * Opens the upstream registries of a mirror, each given as `NAME` or `NAME=URL`.
 *
 * @throws MOTE_INVALID_REFERENCE
 */
export async function upstreamRegistries(
  upstreams: readonly string[],
  endpoints: Endpoints,
  rates: RateLimits,
): Promise<UpstreamRegistry[]> {
  const { listRepositories, MirroredRepository, readRegistry, RegistryCache, RegistryRepository } = await import(
    "@mote/registry"
  );
  const { client, mirrors } = await endpoints.registries();
  // The mirror itself respects `Retry-After`, for all its clients, who are told at once.
  const policy = { ...client.policy, longestRetryAfterMs: 0 };
  return upstreams.map((text) => {
    const { name, url } = readAddress(text);
    const { registry } = readRegistry(name);
    const place = url === undefined ? { registry } : readRegistry(url);
    const traffic = new UpstreamCounters();
    return {
      name: registry,
      ...(registry === "docker.io" ? dockerHub : {}),
      traffic,
      repositories: (options) => listRepositories(client, place, { ...options, traffic, policy }),
      open: (repository) => {
        const location = { ...place, repository };
        const options = { traffic, policy };
        const endpoint = new RegistryRepository(client, location, options);
        const found = url === undefined ? mirrors.of(location) : [];
        const blobs = found.map(
          ({ namespace, ...mirror }) => new RegistryCache(client, mirror, { ...options, namespace }),
        );
        const source = found.length === 0 ? endpoint : new MirroredRepository(client, location, found, options);
        const rate = rates.ofUpstream(registry, source.ref);
        return {
          source: limitedSource(source, rate),
          blobs: limitedReads(new FirstWithBlob([...blobs, new RegistryCache(client, location, options)]), rate),
          tags: (options) => endpoint.tags(options),
        };
      },
    };
  });
}

function readAddress(text: string): UpstreamAddress {
  const equals = text.indexOf("=");
  if (equals < 0) return { name: text, url: undefined };
  const [name, url] = [text.slice(0, equals), text.slice(equals + 1)];
  if (name !== "" && url !== "") return { name, url };
  throw new MoteError(
    "MOTE_INVALID_REFERENCE",
    "the upstream is not valid; use NAME or NAME=URL, such as docker.io=http://127.0.0.1:5000",
    {
      details: { position: 0, reason: "not an upstream" },
    },
  );
}
