import type { Cancellable } from "@mote/core";
import type { RegistryClient } from "./client.js";
import type { RegistryResponse } from "./registry-request.js";
import { type RepositoryLocation, registryOrigin } from "./repository-location.js";

export interface PostOptions extends Cancellable {
  readonly body: Uint8Array;
  /** Describes the request in error messages. */
  readonly what: string;
}

/**
 * Sends a POST request to a path of a registry's host that is not part of the distribution specification, with the registry's login.
 * @throws MOTE_UNAUTHORIZED · MOTE_FORBIDDEN · MOTE_NOT_FOUND · MOTE_REGISTRY · MOTE_UNREACHABLE · MOTE_TIMEOUT
 */
export function post<Result>(
  client: RegistryClient,
  location: Omit<RepositoryLocation, "repository">,
  path: string,
  options: PostOptions,
  take: (response: Pick<RegistryResponse, "body">) => Promise<Result>,
): Promise<Result> {
  const origin = registryOrigin(location, client);
  const access = { origin, subject: { registry: location.registry }, scopes: [] };
  return client.send({ ...options, method: "POST", url: new URL(path, origin), access }, take);
}
