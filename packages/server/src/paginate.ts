import { ErrorResponse } from "./response.js";

export interface Page {
  readonly entries: readonly string[];
  /** The `Link` header for the next page; undefined on the last page. */
  readonly link: string | undefined;
}

/** The maximum number of entries of a page. */
const maxPageSize = 10_000;

/** Sorts and deduplicates names, and returns the page selected by `n` and `last` (distribution-spec, "Listing Tags"). */
export function paginate(names: Iterable<string>, path: string, query: URLSearchParams): Page {
  const limit = Math.min(readLimit(query.get("n")), maxPageSize);
  const last = query.get("last");
  const sorted = [...new Set(names)].sort();
  const rest = last === null ? sorted : sorted.filter((name) => name > last);
  const entries = rest.slice(0, limit);
  const lastShown = entries.at(-1);
  if (entries.length === rest.length || lastShown === undefined) return { entries, link: undefined };
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
