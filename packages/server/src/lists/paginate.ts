import { ErrorResponse } from "../routing/response.js";

/** The part of an ordered list that a client requests (distribution-spec, "Listing Tags"). */
export interface PageRequest {
  /** The number of entries at most. */
  readonly limit: number;
  /** Only entries after this one. */
  readonly after: string | undefined;
}

export interface Page {
  readonly entries: readonly string[];
  /** The `Link` header for the next page; undefined on the last page. */
  readonly link: string | undefined;
}

const maxPageSize = 10_000;

export function parsePageRequest(query: URLSearchParams): PageRequest {
  return { limit: Math.min(readLimit(query.get("n")), maxPageSize), after: query.get("last") ?? undefined };
}

/** Cuts a page from the entries after `after`. There is a next page if there are more than `limit`, or `hasMore` says so. */
export function paginate(
  found: readonly string[],
  { limit, hasMore = false }: PageRequest & { readonly hasMore?: boolean },
  { path, query }: { readonly path: string; readonly query: URLSearchParams },
): Page {
  const entries = found.slice(0, limit);
  const lastShown = entries.at(-1);
  if ((entries.length === found.length && !hasMore) || lastShown === undefined) return { entries, link: undefined };
  const namespace = query.get("ns");
  const next = new URLSearchParams({
    n: String(limit),
    ...(namespace === null ? {} : { ns: namespace }),
    last: lastShown,
  });
  return { entries, link: `<${path}?${next}>; rel="next"` };
}

function readLimit(text: string | null): number {
  if (text === null) return Number.POSITIVE_INFINITY;
  if (!/^\d+$/.test(text)) {
    throw new ErrorResponse(400, "PAGINATION_NUMBER_INVALID", "n must be an integer of at least 0", {
      detail: { n: text },
    });
  }
  return Number(text);
}
