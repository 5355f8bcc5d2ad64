import { unknownName } from "../routing/checks.js";
import { staleWarning } from "../routing/conditions.js";
import { type ApiResponse, jsonResponse } from "../routing/response.js";
import type { RoutedRequest } from "../routing/router.js";
import type { ServedContent } from "../served-content.js";
import { repositoryListing } from "./listing.js";
import { paginate, parsePageRequest } from "./paginate.js";

/** Responds to `GET /v2/_catalog`: with what is stored, and the repositories of upstreams that list them. */
export async function catalog(
  { source, tags, upstreams }: ServedContent,
  { namespace, query, request: { signal } }: RoutedRequest,
): Promise<ApiResponse> {
  const fullNameOf = (path: string) => upstreams?.repository(path, undefined)?.full;
  const listNames = repositoryListing(source, tags, { namespace, fullNameOf, signal });
  const page = parsePageRequest(query);
  const stored = await listNames({ ...page, limit: page.limit + 1 });
  const { names, knownUntil, isStale } = (await upstreams?.catalog(page, { namespace, signal })) ?? nothing;
  const found = [...new Set([...stored, ...names])]
    .sort()
    .filter((name) => knownUntil === undefined || name <= knownUntil);
  if (namespace !== undefined && found.length === 0) {
    const [first] = await listNames({ after: undefined, limit: 1 });
    if (first === undefined) throw unknownName(namespace);
  }
  const hasMore = knownUntil !== undefined;
  const { entries, link } = paginate(found, { ...page, hasMore }, { path: "/v2/_catalog", query });
  const headers = { ...(link === undefined ? {} : { link }), ...(isStale ? { warning: staleWarning } : {}) };
  return jsonResponse(200, { repositories: entries }, headers);
}

const nothing = { names: [], knownUntil: undefined, isStale: false };
