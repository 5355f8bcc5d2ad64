import type { Cancellable } from "@mote/core";
import { RegistryClient, type RegistryClientOptions } from "../client.js";
import { protocolError } from "../http/errors.js";
import { type RepositoryLocation, registryOrigin } from "../repository-location.js";
import type { Credentials } from "./credentials.js";

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
  return wanted;
}
