import { isRepositoryPath, type ListOptions, type RepositoryPage } from "@mote/core";
import type { RegistryClient } from "../client.js";
import { linkTarget } from "../http/link-header.js";
import type { RepositoryApiOptions } from "../repository-api.js";
import { type RepositoryLocation, registryOrigin } from "../repository-location.js";
import { readNameList, setPage } from "./tags.js";

/**
 * Lists one page of a registry's repositories (`GET /v2/_catalog`). Many registries have no such list, or not for all users.
 * @throws MOTE_NOT_FOUND · MOTE_UNAUTHORIZED · MOTE_FORBIDDEN · MOTE_TOO_LARGE · MOTE_REGISTRY
 */
export function listRepositories(
  client: RegistryClient,
  location: Omit<RepositoryLocation, "repository">,
  { after, limit, signal, traffic, policy }: ListOptions & Pick<RepositoryApiOptions, "traffic" | "policy"> = {},
): Promise<RepositoryPage> {
  const origin = registryOrigin(location, client);
  const url = new URL("/v2/_catalog", origin);
  setPage(url, { after, limit });
  const subject = { registry: location.registry };
  const access = { origin, subject, scopes: ["registry:catalog:*"], traffic };
  return client.send({ method: "GET", url, access, what: "repositories", policy, signal }, async (response) => ({
    repositories: await readNameList(response, subject, "repositories", isRepositoryPath),
    hasMore: linkTarget(response.headers("link"), "next") !== undefined,
  }));
}
