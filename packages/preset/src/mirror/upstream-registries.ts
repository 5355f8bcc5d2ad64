import type { UpstreamRegistry } from "@mote/mirror";
import type { Endpoints } from "../endpoints/endpoints.js";
import { invalidReference } from "../references/invalid-reference.js";
import { limitedReads, limitedSource, type RateLimits } from "../transfers/rate-limits.js";
import { firstWithBlob } from "./first-with-blob.js";
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
          blobs: limitedReads(firstWithBlob([...blobs, new RegistryCache(client, location, options)]), rate),
          tags: (options) => endpoint.tags(options),
        };
      },
    };
  });
}

/** @throws MOTE_INVALID_REFERENCE for an upstream that is given twice, or a default that is none of them */
export function checkUpstreams(upstreams: readonly UpstreamRegistry[], defaultUpstream = "none"): void {
  const names = upstreams.map(({ name }) => name);
  const twice = names.find((name, at) => names.indexOf(name) < at);
  if (twice !== undefined)
    throw invalidReference(twice, `the upstream ${twice} is given twice; give each registry once`, "given twice");
  const all = ["none", ...upstreams.flatMap(({ name, aliases = [] }) => [name, ...aliases])];
  if (all.includes(defaultUpstream)) return;
  const message = `the default ${defaultUpstream} is not an upstream; use ${names.join(", ")} or none`;
  throw invalidReference(defaultUpstream, message, "not an upstream");
}

/** Parses `NAME` or `NAME=URL`. @throws MOTE_INVALID_REFERENCE */
function readAddress(text: string): UpstreamAddress {
  const [, name, url] = /^([^=]+)(?:=(.+))?$/s.exec(text) ?? [];
  if (name !== undefined) return { name, url };
  const message = "the upstream is not valid; use NAME or NAME=URL, such as docker.io=http://127.0.0.1:5000";
  throw invalidReference(text, message, "not an upstream");
}
