import { type Cancellable, hasCode, type ListOptions, MoteError, type PullThrough } from "@mote/core";

/** Milliseconds that the catalog waits for upstreams, of which many have none. */
const maxCatalogMs = 5_000;

export type CatalogPage = Pick<ListOptions, "after"> & { readonly limit: number };

export interface UpstreamCatalog {
  readonly names: readonly string[];
  /** Names after this one are not known yet. Undefined if all are. */
  readonly knownUntil: string | undefined;
  /** Whether an upstream could not be reached. */
  readonly isStale: boolean;
}

/** Lists the first repositories of upstreams by the names that requests use. Upstreams without a catalog, or with a private one, are left out. */
export async function upstreamCatalog(
  pullThrough: PullThrough,
  page: CatalogPage,
  { namespace, signal }: Cancellable & { readonly namespace: string | undefined },
): Promise<UpstreamCatalog> {
  const late = AbortSignal.timeout(maxCatalogMs);
  const limited = signal === undefined ? late : AbortSignal.any([signal, late]);
  const catalogs = await Promise.all(
    pullThrough.upstreams
      .map(({ name }) => ({ name, prefix: prefixOf(pullThrough, name, namespace) }))
      .filter(({ prefix }) => prefix !== undefined)
      .map(({ name, prefix = "" }) => listOne(pullThrough, { name, prefix }, page, limited)),
  );
  signal?.throwIfAborted();
  const ends = catalogs.flatMap(({ knownUntil }) => knownUntil ?? []);
  return {
    names: catalogs.flatMap(({ names }) => names),
    knownUntil: ends.sort()[0],
    isStale: catalogs.some(({ isStale }) => isStale),
  };
}

/** Returns what precedes the paths of an upstream in requests. Undefined if requests in this namespace do not mean the upstream. */
function prefixOf(pullThrough: PullThrough, upstream: string, namespace: string | undefined): string | undefined {
  const isMeant = (name: string) => pullThrough.repository(name, namespace)?.upstream === upstream;
  if (isMeant("any/repository")) return "";
  return namespace === undefined && isMeant(`${upstream}/any/repository`) ? `${upstream}/` : undefined;
}

async function listOne(
  pullThrough: PullThrough,
  { name, prefix }: { readonly name: string; readonly prefix: string },
  { after = "", limit }: CatalogPage,
  signal: AbortSignal,
): Promise<UpstreamCatalog> {
  const nothing = { names: [], knownUntil: undefined };
  if (after > `${prefix}\uffff`) return { ...nothing, isStale: false };
  const path = after.startsWith(prefix) && after !== prefix ? after.slice(prefix.length) : undefined;
  try {
    const listed = await pullThrough.repositories(name, { after: path, limit: limit + 1, signal });
    const names = listed.repositories.map((repository) => `${prefix}${repository}`).filter((one) => one > after);
    return { names, knownUntil: listed.hasMore ? names.at(-1) : undefined, isStale: false };
  } catch (error) {
    if (!signal.aborted && !MoteError.isInstance(error)) throw error;
    return { ...nothing, isStale: !hasCode(error, "MOTE_NOT_FOUND", "MOTE_UNAUTHORIZED", "MOTE_FORBIDDEN") };
  }
}
