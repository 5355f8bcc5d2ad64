import type { Cancellable } from "@mote/core";
import type { RegistryClient } from "./client.js";
import { protocolError } from "./http/errors.js";
import { type RepositoryLocation, registryOrigin } from "./repository-location.js";

/**
 * Asks a registry for its API, and returns where it is (distribution-spec, "Determining Support").
 * @throws MOTE_UNAUTHORIZED · MOTE_FORBIDDEN · MOTE_REGISTRY, also where a web page answers · MOTE_UNREACHABLE · MOTE_TIMEOUT ·
 *   MOTE_RATE_LIMITED · MOTE_INVALID_REFERENCE
 */
export async function askForApi(
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
