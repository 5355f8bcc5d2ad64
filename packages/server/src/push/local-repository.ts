import { isRepositoryPath, parseRepositoryName } from "@mote/core";
import { ErrorResponse } from "../routing/response.js";
import type { RoutedRequest } from "../routing/router.js";
import type { UpstreamRequests } from "../upstreams/upstream-requests.js";

/** A request to write to a repository. */
export interface WriteRequest extends RoutedRequest {
  /** Its full name. */
  readonly repository: string;
}

/**
 * Returns the repository that a client may push to: one without a registry, so that pushed content never replaces that of a registry.
 * @throws ErrorResponse 403
 */
export function localRepository(
  { name, namespace }: Pick<RoutedRequest, "name" | "namespace">,
  upstreams: UpstreamRequests | undefined,
): string {
  const upstream = upstreams?.repository(name, namespace)?.upstream ?? namespace ?? parseRepositoryName(name)?.registry;
  if (upstream === undefined && isRepositoryPath(name)) return name;
  const owner = upstream === undefined ? "a registry" : upstream;
  throw new ErrorResponse(
    403,
    "DENIED",
    `this repository belongs to ${owner}; push there, or to a name without an upstream (with one upstream, serve with --default none)`,
    { detail: { name } },
  );
}
