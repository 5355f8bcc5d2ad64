import { type Cancellable, type MoteSource, parseImageName, type RepositoryName, type TagStore } from "@mote/core";

/** The tags of a repository that is named in full, in the order of names. */
export async function* tagsOf(tags: TagStore, repository: string, options: Cancellable): AsyncGenerator<string> {
  for await (const { name } of tags.list(options)) {
    const image = parseImageName(name);
    if (image?.repository.full === repository && image.tag !== undefined && image.digest === undefined) yield image.tag;
  }
}

/**
 * The names by which a client can pull what has a name here: of the registry `namespace` the paths; else paths, and where several registries
 * have one path, their names in full. What is not a repository's name, such as a layout's folder, is never among them.
 */
export async function catalogue(
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
