import type { Cancellable } from "@mote/core";
import type { CredentialSource, Credentials } from "./auth/credentials.js";
import { RegistryClient, type RegistryClientOptions } from "./client.js";
import { protocolError } from "./reports/protocol-error.js";
import { type RepositoryLocation, registryOrigin } from "./repository-location.js";

/**
 * Asks a registry whether it takes the credentials, by the token service that it names if it names one (distribution-spec,
 * "Determining Support"). Answers false where it did not want any: it lets everybody in, at least that far.
 * @throws MOTE_UNAUTHORIZED where it refuses them · MOTE_INVALID_REFERENCE · MOTE_FORBIDDEN · MOTE_REGISTRY · MOTE_UNREACHABLE ·
 *   MOTE_TIMEOUT · MOTE_RATE_LIMITED
 */
export async function checkCredentials(
  place: Omit<RepositoryLocation, "repository">,
  credentials: Credentials,
  options: Omit<RegistryClientOptions, "credentials"> & Cancellable = {},
): Promise<boolean> {
  let wanted = false;
  const get = async () => {
    wanted = true;
    return credentials;
  };
  const { signal, ...clientOptions } = options;
  await using client = new RegistryClient({ ...clientOptions, credentials: { get } });
  await askForApi(client, place, { signal });
  return wanted;
}

export interface RegistryFindings {
  /** As references name it. */
  readonly registry: string;
  /** Where its API is. */
  readonly origin: string;
  /** Whether it wanted credentials, and whether there were any to show. */
  readonly wantsCredentials: boolean;
  readonly hadCredentials: boolean;
  readonly durationMs: number;
}

/**
 * Asks a registry for its API as a pull would, with the credentials that are kept for it (distribution-spec, "Determining Support").
 * @throws MOTE_UNAUTHORIZED · MOTE_FORBIDDEN · MOTE_REGISTRY · MOTE_UNREACHABLE · MOTE_TIMEOUT ·
 *   MOTE_CONFIG · MOTE_INVALID_REFERENCE
 */
export async function examineRegistry(
  place: Omit<RepositoryLocation, "repository">,
  credentials: CredentialSource,
  options: Omit<RegistryClientOptions, "credentials"> & Cancellable = {},
): Promise<RegistryFindings> {
  const { registry } = place;
  const { signal, ...clientOptions } = options;
  let [wantsCredentials, hadCredentials] = [false, false];
  const watched: CredentialSource = {
    async get(...asked) {
      wantsCredentials = true;
      const found = await credentials.get(...asked);
      hadCredentials = found !== undefined;
      return found;
    },
  };
  const startMs = performance.now();
  await using client = new RegistryClient({ ...clientOptions, credentials: watched });
  const origin = await askForApi(client, place, { signal });
  const durationMs = performance.now() - startMs;
  return { registry, origin: origin.origin, wantsCredentials, hadCredentials, durationMs };
}

/**
 * Asks a registry for its API, and returns where it is (distribution-spec, "Determining Support").
 * @throws MOTE_UNAUTHORIZED · MOTE_FORBIDDEN · MOTE_REGISTRY, also where a web page answers · MOTE_UNREACHABLE · MOTE_TIMEOUT ·
 *   MOTE_RATE_LIMITED · MOTE_INVALID_REFERENCE
 */
async function askForApi(
  client: RegistryClient,
  place: Omit<RepositoryLocation, "repository">,
  { signal }: Cancellable,
): Promise<URL> {
  const { registry } = place;
  const origin = registryOrigin(place, client);
  const access = { origin, subject: { registry }, scopes: [] };
  const request = { access, method: "GET", url: new URL("/v2/", origin), what: "its API", signal } as const;
  await client.send({ ...request, accepts: (status) => status === 200 || status === 404 }, (answer) => {
    answer.discard();
    const isPage = /^text\/html\b/i.test(answer.header("content-type") ?? "");
    if (answer.status !== 404 && !isPage) return;
    throw protocolError({ registry }, "there is no registry's API below /v2/; check the name and the port");
  });
  return origin;
}
