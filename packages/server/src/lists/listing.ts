import { type Cancellable, type MoteSource, parseImageName, type RepositoryName, type TagStore } from "@mote/core";
import type { PageRequest } from "./paginate.js";

/** Names that are read at once while repositories are looked for. */
const namesAtOnce = 32;

/** Lists the first tags of a repository, given by its full name, in order. */
export async function listTags(
  tags: TagStore,
  repository: string,
  { after, limit, signal }: PageRequest & Cancellable,
): Promise<string[]> {
  const found: string[] = [];
  const prefix = `${repository}:`;
  let last = after === undefined ? undefined : `${prefix}${after}`;
  while (found.length < limit) {
    const wanted = limit - found.length;
    let read = 0;
    for await (const { name } of tags.list({ prefix, after: last, limit: wanted, signal })) {
      read++;
      last = name;
      const image = parseImageName(name);
      if (image?.repository.full === repository && image.tag !== undefined && image.digest === undefined) {
        found.push(image.tag);
      }
    }
    if (read < wanted) break;
  }
  return found;
}

interface ListingOptions extends Cancellable {
  readonly namespace: string | undefined;
  /** Returns the full name that a request for this path selects. Default: it depends on what is stored. */
  readonly fullNameOf?: ((path: string) => string | undefined) | undefined;
}

/**
 * Returns a function that lists the first repositories with tags, in order, without reading all names of a repository: the paths of the registry
 * `namespace`, or without it all paths, or full names if several registries have the same path. Repositories without content and local names, such
 * as those of layouts, are not included.
 */
export function repositoryListing(
  source: MoteSource,
  tags: TagStore,
  { namespace, fullNameOf = () => undefined, signal }: ListingOptions,
): (page: PageRequest) => Promise<string[]> {
  const hasContent = async ({ full }: RepositoryName) => {
    for (const prefix of [`${full}:`, `${full}@`]) {
      for await (const { name, descriptor } of tags.list({ prefix, signal })) {
        if (parseImageName(name)?.repository.full !== full) continue;
        if (await source.moteExists(descriptor.digest, { signal })) return true;
      }
    }
    return false;
  };

  const repositories = async () => {
    const found = new Map<string, RepositoryName>();
    const prefix = namespace === undefined ? "" : `${namespace}/`;
    let after: string | undefined;
    for (let isMore = true; isMore; ) {
      isMore = false;
      for await (const { name } of tags.list({ prefix, after, limit: namesAtOnce, signal })) {
        isMore = true;
        after = name;
        const repository = parseImageName(name)?.repository;
        if (repository === undefined) continue;
        const isKnown = found.has(repository.full);
        found.set(repository.full, repository);
        // A name without a slash, and a colon, may also begin the name of a registry with a port.
        if (!isKnown || !repository.full.includes("/")) continue;
        after = `${repository.full}@\uffff`;
        break;
      }
    }
    return [...found.values()].filter(({ registry }) => namespace === undefined || registry === namespace);
  };

  const shownNames = async () => {
    const withPath = new Map<string, RepositoryName[]>();
    for (const repository of await repositories()) {
      withPath.set(repository.path, [...(withPath.get(repository.path) ?? []), repository]);
    }
    const shown = new Map<string, RepositoryName>();
    for (const [path, all] of withPath) {
      const withContent: RepositoryName[] = [];
      for (const each of all) if (all.length === 1 || (await hasContent(each))) withContent.push(each);
      for (const each of withContent) {
        const meant = namespace === undefined ? fullNameOf(path) : undefined;
        const isOnly = each.registry === undefined || withContent.length === 1 || namespace !== undefined;
        shown.set((meant === undefined ? isOnly : meant === each.full) ? path : each.full, each);
      }
    }
    return shown;
  };

  return async ({ after, limit }) => {
    const found: string[] = [];
    const shown = [...(await shownNames())].filter(([name]) => after === undefined || name > after);
    for (const [name, repository] of shown.sort(([a], [b]) => (a < b ? -1 : 1))) {
      if (found.length >= limit) break;
      if (await hasContent(repository)) found.push(name);
    }
    return found;
  };
}
