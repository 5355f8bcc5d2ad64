import {
  type Digest,
  isRepositoryPath,
  type Logger,
  type Membership,
  MoteError,
  type MoteSource,
  parseImageName,
  parseRepositoryName,
  type TagStore,
} from "@mote/core";

/** Repositories derived from tags, because the membership store has no record: for each manifest, one of its tags. */
type Derived = Map<string, Map<Digest, string>>;

/**
 * Finds repositories and their manifests: those that the membership store has recorded, and those that tags name which were set by an earlier
 * release or in a cache without a membership store.
 */
export function repositoriesIn(
  source: MoteSource & { readonly membership?: Membership },
  tags: TagStore,
  logger: Logger,
) {
  const { membership } = source;
  let byTags: Derived = new Map();
  let deriving: Promise<void> | undefined;
  let isDerived = false;

  /**
   * Returns the full name of the repository that a client requests: that of the registry `namespace`, or else the one with this full name, or
   * the only one with this path. Returns undefined if there is none, or if the path is ambiguous.
   */
  async function resolve(name: string, namespace: string | undefined): Promise<string | undefined> {
    // Ambiguity can be detected only if all repositories are known.
    if (namespace === undefined) await derive();
    return (await lookUp(name, namespace)) ?? ((await derive()) ? lookUp(name, namespace) : undefined);
  }

  /** Returns whether the manifest was stored or tagged in the repository. */
  async function has(repository: string, manifest: Digest): Promise<boolean> {
    if (await membership?.has(repository, manifest)) return true;
    const name = byTags.get(repository)?.get(manifest);
    return name !== undefined && (await tags.resolve(name))?.digest === manifest;
  }

  async function* list(repository: string): AsyncGenerator<Digest> {
    for (const manifest of [...(byTags.get(repository)?.keys() ?? [])]) {
      if (await has(repository, manifest)) yield manifest;
    }
    if (membership !== undefined) yield* membership.list(repository);
  }

  /** Records that a tag refers to the manifest. */
  async function recordTag(name: string, manifest: Digest): Promise<void> {
    const repository = parseImageName(name)?.repository.full;
    if (repository === undefined || (await has(repository, manifest))) return;
    if (await record(repository, manifest)) return;
    byTags.set(repository, (byTags.get(repository) ?? new Map()).set(manifest, name));
  }

  /**
   * Has the tags recorded, or reads all of them to find unrecorded repositories: once, or each time without a membership store.
   * @returns whether it did
   */
  async function derive(): Promise<boolean> {
    if (membership !== undefined && isDerived) return false;
    deriving ??= deriveOnce().finally(() => {
      deriving = undefined;
    });
    await deriving;
    return true;
  }

  async function deriveOnce(): Promise<void> {
    const derived: Derived = new Map();
    const isRecorded = await membership?.recordTags?.(tags);
    if (!isRecorded) await deriveFromTags(derived);
    byTags = derived;
    isDerived = true;
  }

  async function deriveFromTags(derived: Derived): Promise<void> {
    for await (const { name, descriptor } of tags.list()) {
      const repository = parseImageName(name)?.repository.full;
      if (repository === undefined) continue;
      const isRecorded =
        membership !== undefined &&
        ((await membership.has(repository, descriptor.digest)) || (await record(repository, descriptor.digest)));
      if (!isRecorded) derived.set(repository, (derived.get(repository) ?? new Map()).set(descriptor.digest, name));
    }
  }

  /** Records a manifest. Returns false if that is not possible; then it is held in memory. */
  async function record(repository: string, manifest: Digest): Promise<boolean> {
    if (membership === undefined) return false;
    try {
      await membership.record(repository, manifest, { named: true });
      return true;
    } catch (error) {
      if (!MoteError.isInstance(error)) throw error;
      logger.debug("cannot record a manifest of a repository", { repository, manifest, error });
      return false;
    }
  }

  async function lookUp(name: string, namespace: string | undefined): Promise<string | undefined> {
    if (namespace !== undefined) {
      const repository = parseRepositoryName(`${namespace}/${name}`);
      if (repository?.registry !== namespace) return undefined;
      return (await hasContent(repository.full)) ? repository.full : undefined;
    }
    if (parseRepositoryName(name) !== undefined && (await hasContent(name))) return name;
    if (!isRepositoryPath(name)) return undefined;
    const named = await withPath(name, true);
    const candidates = named.length > 0 ? named : await withPath(name, false);
    return candidates.length === 1 ? candidates[0] : undefined;
  }

  /** Returns the repositories with content and this path: with `named` only tagged ones. */
  async function withPath(path: string, named: boolean): Promise<string[]> {
    const found = new Set<string>();
    for (const full of byTags.keys()) if (parseRepositoryName(full)?.path === path) found.add(full);
    for await (const full of membership?.repositories({ path, named }) ?? []) found.add(full);
    const withContent: string[] = [];
    for (const full of found) if (await hasContent(full)) withContent.push(full);
    return withContent;
  }

  /** Returns whether the repository has a manifest that is stored. */
  async function hasContent(repository: string): Promise<boolean> {
    for await (const manifest of list(repository)) if (await source.moteExists(manifest)) return true;
    return false;
  }

  return { resolve, has, list, recordTag, derive };
}

export type Repositories = ReturnType<typeof repositoriesIn>;
