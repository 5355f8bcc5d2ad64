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
  /** Returns the full name that a request for this path means. Default: it depends on what is stored. */
  readonly fullNameOf?: ((path: string) => string | undefined) | undefined;
}

/** Lists the repositories with tags, of one registry or of all, without reading all names of a repository. */
export class RepositoryListing {
  readonly #source: MoteSource;
  readonly #tags: TagStore;
  readonly #namespace: string | undefined;
  readonly #fullNameOf: (path: string) => string | undefined;
  readonly #options: Cancellable;

  constructor(source: MoteSource, tags: TagStore, { namespace, fullNameOf = () => undefined, signal }: ListingOptions) {
    this.#source = source;
    this.#tags = tags;
    this.#namespace = namespace;
    this.#fullNameOf = fullNameOf;
    this.#options = { signal };
  }

  /**
   * Lists the first names, in order: the paths of the registry `namespace`, or without it all paths, or full names if several registries
   * have the same path. Repositories without content and local names, such as those of layouts, are not included.
   */
  async names({ after, limit }: PageRequest): Promise<string[]> {
    const found: string[] = [];
    const shown = [...(await this.#shownNames())].filter(([name]) => after === undefined || name > after);
    for (const [name, repository] of shown.sort(([a], [b]) => (a < b ? -1 : 1))) {
      if (found.length >= limit) break;
      if (await this.#hasContent(repository)) found.push(name);
    }
    return found;
  }

  async #shownNames(): Promise<Map<string, RepositoryName>> {
    const withPath = new Map<string, RepositoryName[]>();
    for (const repository of await this.#repositories()) {
      withPath.set(repository.path, [...(withPath.get(repository.path) ?? []), repository]);
    }
    const shown = new Map<string, RepositoryName>();
    for (const [path, all] of withPath) {
      const withContent: RepositoryName[] = [];
      for (const each of all) if (all.length === 1 || (await this.#hasContent(each))) withContent.push(each);
      for (const each of withContent) {
        const meant = this.#namespace === undefined ? this.#fullNameOf(path) : undefined;
        const isOnly = each.registry === undefined || withContent.length === 1 || this.#namespace !== undefined;
        shown.set((meant === undefined ? isOnly : meant === each.full) ? path : each.full, each);
      }
    }
    return shown;
  }

  async #repositories(): Promise<Iterable<RepositoryName>> {
    const found = new Map<string, RepositoryName>();
    const prefix = this.#namespace === undefined ? "" : `${this.#namespace}/`;
    let after: string | undefined;
    for (let isMore = true; isMore; ) {
      isMore = false;
      for await (const { name } of this.#tags.list({ prefix, after, limit: namesAtOnce, ...this.#options })) {
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
    return this.#namespace === undefined
      ? found.values()
      : [...found.values()].filter(({ registry }) => registry === this.#namespace);
  }

  async #hasContent({ full }: RepositoryName): Promise<boolean> {
    for (const prefix of [`${full}:`, `${full}@`]) {
      for await (const { name, descriptor } of this.#tags.list({ prefix, ...this.#options })) {
        if (parseImageName(name)?.repository.full !== full) continue;
        if (await this.#source.moteExists(descriptor.digest, this.#options)) return true;
      }
    }
    return false;
  }
}
