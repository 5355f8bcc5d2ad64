import type { Cancellable } from "@mote/core";
import type { CredentialSource, Credentials } from "./auth/credentials.js";
import { RegistryClient, type RegistryClientOptions } from "./client.js";
import { protocolError } from "./reports/protocol-error.js";
import { type RepositoryLocation, registryOrigin } from "./repository-location.js";

/**
 * Checks whether a registry accepts the credentials (distribution-spec, "Determining Support"). Returns false if it allows anonymous access.
 * @throws MOTE_UNAUTHORIZED if it rejects them, and as `examineRegistry`
 */
export async function checkCredentials(
  location: Omit<RepositoryLocation, "repository">,
  credentials: Credentials,
  options: Omit<RegistryClientOptions, "credentials"> & Cancellable = {},
): Promise<boolean> {
  return (await examineRegistry(location, { get: async () => credentials }, options)).wantsCredentials;
}

export interface RegistryFindings {
  /** As in references. */
  readonly registry: string;
  /** The origin of its API. */
  readonly origin: string;
  /** Whether it required credentials, and whether some were stored. */
  readonly wantsCredentials: boolean;
  readonly hadCredentials: boolean;
  readonly durationMs: number;
}

/**
 * Requests the API of a registry like a pull, with its stored credentials (distribution-spec, "Determining Support").
 * @throws MOTE_UNAUTHORIZED · MOTE_FORBIDDEN · MOTE_REGISTRY · MOTE_UNREACHABLE · MOTE_TIMEOUT · MOTE_RATE_LIMITED · MOTE_CONFIG · MOTE_INVALID_REFERENCE
 */
export async function examineRegistry(
  location: Omit<RepositoryLocation, "repository">,
  credentials: CredentialSource,
  options: Omit<RegistryClientOptions, "credentials"> & Cancellable = {},
): Promise<RegistryFindings> {
  const { registry } = location;
  const { signal, ...clientOptions } = options;
  let [wantsCredentials, hadCredentials] = [false, false];
  const watched: CredentialSource = {
    async get(...request) {
      wantsCredentials = true;
      const found = await credentials.get(...request);
      hadCredentials = found !== undefined;
      return found;
    },
  };
  const startMs = performance.now();
  await using client = new RegistryClient({ ...clientOptions, credentials: watched });
  const origin = await requestApi(client, location, { signal });
  const durationMs = performance.now() - startMs;
  return { registry, origin: origin.origin, wantsCredentials, hadCredentials, durationMs };
}

/** Requests the API of a registry, and returns its origin. @throws as `examineRegistry`; MOTE_REGISTRY also for a web page */
async function requestApi(
  client: RegistryClient,
  location: Omit<RepositoryLocation, "repository">,
  { signal }: Cancellable,
): Promise<URL> {
  const { registry } = location;
  const origin = registryOrigin(location, client);
  const access = { origin, subject: { registry }, scopes: [] };
  const request = { access, method: "GET", url: new URL("/v2/", origin), what: "its API", signal } as const;
  await client.send({ ...request, accepts: (status) => status === 200 || status === 404 }, (response) => {
    response.discard();
    const isPage = /^text\/html\b/i.test(response.header("content-type") ?? "");
    if (response.status !== 404 && !isPage) return;
    throw protocolError({ registry }, "no registry API at /v2/; check the name and the port");
  });
  return origin;
}
