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
export class Repositories {
  readonly #source: MoteSource;
  readonly #tags: TagStore;
  readonly #membership: Membership | undefined;
  readonly #logger: Logger;
  #derived: Derived = new Map();
  #deriving: Promise<void> | undefined;
  #isDerived = false;

  constructor(source: MoteSource & { readonly membership?: Membership }, tags: TagStore, logger: Logger) {
    this.#source = source;
    this.#tags = tags;
    this.#membership = source.membership;
    this.#logger = logger;
  }

  /**
   * Returns the full name of the repository that a client requests: that of the registry `namespace`, or else the one with this full name, or
   * the only one with this path. Returns undefined if there is none, or if the path is ambiguous.
   */
  async resolve(name: string, namespace: string | undefined): Promise<string | undefined> {
    // Ambiguity can be detected only if all repositories are known.
    if (namespace === undefined) await this.derive();
    return (await this.#lookUp(name, namespace)) ?? ((await this.derive()) ? this.#lookUp(name, namespace) : undefined);
  }

  /** Returns whether the manifest was stored or tagged in the repository. */
  async has(repository: string, manifest: Digest): Promise<boolean> {
    if (await this.#membership?.has(repository, manifest)) return true;
    const name = this.#derived.get(repository)?.get(manifest);
    return name !== undefined && (await this.#tags.resolve(name))?.digest === manifest;
  }

  async *list(repository: string): AsyncGenerator<Digest> {
    for (const manifest of [...(this.#derived.get(repository)?.keys() ?? [])]) {
      if (await this.has(repository, manifest)) yield manifest;
    }
    if (this.#membership !== undefined) yield* this.#membership.list(repository);
  }

  /** Records that a tag refers to the manifest. */
  async recordTag(name: string, manifest: Digest): Promise<void> {
    const repository = parseImageName(name)?.repository.full;
    if (repository === undefined || (await this.has(repository, manifest))) return;
    if (await this.#record(repository, manifest)) return;
    this.#derived.set(repository, (this.#derived.get(repository) ?? new Map()).set(manifest, name));
  }

  /**
   * Has the tags recorded, or reads all of them to find unrecorded repositories: once, or each time without a membership store.
   * @returns whether it did
   */
  async derive(): Promise<boolean> {
    if (this.#membership !== undefined && this.#isDerived) return false;
    this.#deriving ??= this.#derive().finally(() => {
      this.#deriving = undefined;
    });
    await this.#deriving;
    return true;
  }

  async #derive(): Promise<void> {
    const derived: Derived = new Map();
    const isRecorded = await this.#membership?.recordTags?.(this.#tags);
    if (!isRecorded) await this.#deriveFromTags(derived);
    this.#derived = derived;
    this.#isDerived = true;
  }

  async #deriveFromTags(derived: Derived): Promise<void> {
    for await (const { name, descriptor } of this.#tags.list()) {
      const repository = parseImageName(name)?.repository.full;
      if (repository === undefined) continue;
      const isRecorded =
        this.#membership !== undefined &&
        ((await this.#membership.has(repository, descriptor.digest)) ||
          (await this.#record(repository, descriptor.digest)));
      if (!isRecorded) derived.set(repository, (derived.get(repository) ?? new Map()).set(descriptor.digest, name));
    }
  }

  /** Records a manifest. Returns false if that is not possible; then it is held in memory. */
  async #record(repository: string, manifest: Digest): Promise<boolean> {
    if (this.#membership === undefined) return false;
    try {
      await this.#membership.record(repository, manifest, { named: true });
      return true;
    } catch (error) {
      if (!MoteError.isInstance(error)) throw error;
      this.#logger.debug("cannot record a manifest of a repository", { repository, manifest, error });
      return false;
    }
  }

  async #lookUp(name: string, namespace: string | undefined): Promise<string | undefined> {
    if (namespace !== undefined) {
      const repository = parseRepositoryName(`${namespace}/${name}`);
      if (repository?.registry !== namespace) return undefined;
      return (await this.#hasContent(repository.full)) ? repository.full : undefined;
    }
    if (parseRepositoryName(name) !== undefined && (await this.#hasContent(name))) return name;
    if (!isRepositoryPath(name)) return undefined;
    const named = await this.#withPath(name, true);
    const candidates = named.length > 0 ? named : await this.#withPath(name, false);
    return candidates.length === 1 ? candidates[0] : undefined;
  }

  /** Returns the repositories with content and this path: with `named` only tagged ones. */
  async #withPath(path: string, named: boolean): Promise<string[]> {
    const found = new Set<string>();
    for (const full of this.#derived.keys()) if (parseRepositoryName(full)?.path === path) found.add(full);
    for await (const full of this.#membership?.repositories({ path, named }) ?? []) found.add(full);
    const withContent: string[] = [];
    for (const full of found) if (await this.#hasContent(full)) withContent.push(full);
    return withContent;
  }

  /** Returns whether the repository has a manifest that is stored. */
  async #hasContent(repository: string): Promise<boolean> {
    for await (const manifest of this.list(repository)) if (await this.#source.moteExists(manifest)) return true;
    return false;
  }
}
