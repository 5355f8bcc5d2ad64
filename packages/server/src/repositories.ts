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

/** Names of a repository that no membership store has recorded: by manifest, a tag that stands for it. */
type Derived = Map<string, Map<Digest, string>>;

/**
 * Which repositories there are, and which manifests were stored or tagged under their names: what is recorded, and what the tags say
 * that an earlier release has set, or of a cache that records nothing.
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
   * The repository, in full, that a client means: that of the registry `namespace`; else the one that is called exactly so, or the
   * only registry's that has the path. Undefined where there is none, or no telling which.
   */
  async find(name: string, namespace: string | undefined): Promise<string | undefined> {
    // To be the only one is said of all.
    if (namespace === undefined) await this.derive();
    return (await this.#lookUp(name, namespace)) ?? ((await this.derive()) ? this.#lookUp(name, namespace) : undefined);
  }

  /** Whether the manifest was stored or tagged under the repository's name. */
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

  /** A tag was found to stand for the manifest. */
  async note(name: string, manifest: Digest): Promise<void> {
    const repository = parseImageName(name)?.repository.full;
    if (repository === undefined || (await this.has(repository, manifest))) return;
    if (await this.#record(repository, manifest)) return;
    this.#derived.set(repository, (this.#derived.get(repository) ?? new Map()).set(manifest, name));
  }

  /**
   * Looks through all tags for what is not recorded: once, or where nothing records, each time.
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
    for await (const { name, descriptor } of this.#tags.list()) {
      const repository = parseImageName(name)?.repository.full;
      if (repository === undefined) continue;
      const isRecorded =
        this.#membership !== undefined &&
        ((await this.#membership.has(repository, descriptor.digest)) ||
          (await this.#record(repository, descriptor.digest)));
      if (!isRecorded) derived.set(repository, (derived.get(repository) ?? new Map()).set(descriptor.digest, name));
    }
    this.#derived = derived;
    this.#isDerived = true;
  }

  /** False where it cannot be recorded: then it is kept in memory. */
  async #record(repository: string, manifest: Digest): Promise<boolean> {
    if (this.#membership === undefined) return false;
    try {
      await this.#membership.record(repository, manifest, { named: true });
      return true;
    } catch (error) {
      if (!MoteError.isInstance(error)) throw error;
      this.#logger.debug("what belongs to a repository cannot be recorded", { repository, manifest, error });
      return false;
    }
  }

  async #lookUp(name: string, namespace: string | undefined): Promise<string | undefined> {
    if (namespace !== undefined) {
      const repository = parseRepositoryName(`${namespace}/${name}`);
      if (repository?.registry !== namespace) return undefined;
      return (await this.#hasContent(repository.full)) ? repository.full : undefined;
    }
    const repository = parseRepositoryName(name);
    if (repository?.registry !== undefined && (await this.#hasContent(name))) return name;
    if (!isRepositoryPath(name)) return undefined;
    const named = await this.#withPath(name, true);
    const candidates = named.length > 0 ? named : await this.#withPath(name, false);
    return candidates.find((full) => full === name) ?? (candidates.length === 1 ? candidates[0] : undefined);
  }

  /** Repositories of that path which have a name, or all of them. */
  async #withPath(path: string, named: boolean): Promise<string[]> {
    const found = new Set<string>();
    for (const full of this.#derived.keys()) if (parseRepositoryName(full)?.path === path) found.add(full);
    for await (const full of this.#membership?.repositories({ path, named }) ?? []) found.add(full);
    const withContent: string[] = [];
    for (const full of found) if (await this.#hasContent(full)) withContent.push(full);
    return withContent;
  }

  /** A record alone may be of what is gone. */
  async #hasContent(repository: string): Promise<boolean> {
    for await (const manifest of this.list(repository)) if (await this.#source.moteExists(manifest)) return true;
    return false;
  }
}
