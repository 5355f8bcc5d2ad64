import type { UpstreamRepository } from "@mote/core";
import { unknownName } from "../routing/checks.js";
import { staleWarning } from "../routing/conditions.js";
import { type ApiResponse, jsonResponse } from "../routing/response.js";
import type { RoutedRequest } from "../routing/router.js";
import type { ServedContent } from "../served-content.js";
import { listTags } from "./listing.js";
import { type PageRequest, paginate, parsePageRequest } from "./paginate.js";

/** Responds to `GET /v2/<name>/tags/list`: with the list of the upstream, or if that is down with the stored tags and a warning. */
export async function tagList(content: ServedContent, routed: RoutedRequest): Promise<ApiResponse> {
  const { name, namespace, query } = routed;
  const page = parsePageRequest(query);
  const upstream = content.upstreams?.repository(name, namespace);
  const found = upstream === undefined ? undefined : await upstreamTags(content, routed, { upstream, page });
  const { tags, hasMore, isStale } = found ?? (await storedTags(content, routed, { upstream, page }));
  const { entries, link } = paginate(tags, { ...page, hasMore }, { path: `/v2/${name}/tags/list`, query });
  const headers = { ...(link === undefined ? {} : { link }), ...(isStale ? { warning: staleWarning } : {}) };
  return jsonResponse(200, { name, tags: entries }, headers);
}

interface FoundTags {
  readonly tags: readonly string[];
  readonly hasMore: boolean;
  readonly isStale: boolean;
}

interface ListRequest {
  readonly upstream: UpstreamRepository | undefined;
  readonly page: PageRequest;
}

/** Returns undefined if the upstream is down and there are stored tags. */
async function upstreamTags(
  { upstreams, tags }: ServedContent,
  { name, request: { signal } }: RoutedRequest,
  { upstream, page: { after, limit } }: ListRequest & { readonly upstream: UpstreamRepository },
): Promise<FoundTags | undefined> {
  if (limit === 0) return { tags: [], hasMore: false, isStale: false };
  const listed = await upstreams?.list(upstream.upstream, (source) => source.tags(upstream, { after, limit, signal }));
  if (listed === undefined) throw unknownName(name);
  if ("failure" in listed) {
    const [stored] = await listTags(tags, upstream.full, { after: undefined, limit: 1, signal });
    if (stored === undefined) throw listed.failure ?? unknownName(name);
    return undefined;
  }
  const { hasMore, tags: found } = listed.result;
  // A registry may ignore `last`.
  return { tags: found.slice(after === undefined ? 0 : found.indexOf(after) + 1), hasMore, isStale: false };
}

async function storedTags(
  { repositories, tags }: ServedContent,
  { name, namespace, request: { signal } }: RoutedRequest,
  { upstream, page }: ListRequest,
): Promise<FoundTags> {
  const repository = upstream?.full ?? (await repositories.resolve(name, namespace));
  if (repository === undefined) throw unknownName(name);
  const found = await listTags(tags, repository, { ...page, limit: page.limit + 1, signal });
  return { tags: found, hasMore: false, isStale: upstream !== undefined };
}
