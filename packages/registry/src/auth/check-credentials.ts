import type { Cancellable } from "@mote/core";
import { askForApi } from "../ask-for-api.js";
import { RegistryClient, type RegistryClientOptions } from "../client.js";
import type { RepositoryLocation } from "../repository-location.js";
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
  await askForApi(client, place, { signal });
  return wanted;
}
