import { type Cancellable, type MoteSource, parseImageName, type RepositoryName, type TagStore } from "@mote/core";

/** Yields the tags of a repository, given by its full name, in order. */
export async function* listTags(tags: TagStore, repository: string, options: Cancellable): AsyncGenerator<string> {
  for await (const { name } of tags.list(options)) {
    const image = parseImageName(name);
    if (image?.repository.full === repository && image.tag !== undefined && image.digest === undefined) yield image.tag;
  }
}

/**
 * Lists the names of the repositories with tags: the paths of the registry `namespace`, or without it all paths, or full names if several
 * registries have the same path. Local names, such as those of layouts, are not included.
 */
export async function listRepositories(
  source: MoteSource,
  tags: TagStore,
  { namespace, ...options }: Cancellable & { readonly namespace: string | undefined },
): Promise<string[]> {
  const found = new Map<string, RepositoryName>();
  for await (const { name, descriptor } of tags.list(options)) {
    const repository = parseImageName(name)?.repository;
    if (repository === undefined || found.has(repository.full)) continue;
    if (await source.moteExists(descriptor.digest, options)) found.set(repository.full, repository);
  }
  const repositories = [...found.values()];
  if (namespace !== undefined) {
    return repositories.filter(({ registry }) => registry === namespace).map(({ path }) => path);
  }
  const withPath = new Map<string, number>();
  for (const { path } of repositories) withPath.set(path, (withPath.get(path) ?? 0) + 1);
  return repositories.map(({ full, registry, path }) =>
    registry === undefined || withPath.get(path) === 1 ? path : full,
  );
}
