import { type Digest, hasCode, MoteError, parseImageName, type Tag } from "@mote/core";
import type { CooperativeYield } from "../disk/cooperative-yield.js";
import type { MemberFiles } from "./member-files.js";
import type { RepositoryNames } from "./repository-names.js";
import { tagFileOf } from "./tag-file.js";

/** Records which manifests belong to a repository by its tags, and removes the records when the tags are removed. */
export class TagMembers {
  readonly #members: MemberFiles;
  readonly #names: RepositoryNames;

  constructor(members: MemberFiles, names: RepositoryNames) {
    this.#members = members;
    this.#names = names;
  }

  /** Returns whether the earlier records still exist. */
  isRecorded(): boolean {
    try {
      return this.#members.format.isThere() && this.#names.format.isThere();
    } catch (error) {
      // Nothing may be written in an unsupported version.
      if (hasCode(error, "MOTE_UNSUPPORTED_FORMAT")) return true;
      throw error;
    }
  }

  /** Records the manifest of a tag. Best effort: it can be recorded later. Returns whether it is recorded. */
  async record({ name, descriptor: { digest } }: Tag): Promise<boolean> {
    const repository = repositoryOf(name);
    if (repository === undefined) return true;
    return await succeeds(async () => {
      await this.#names.format.establish();
      this.#names.add(repository, digest, tagFileOf(name));
      await this.#members.recordNamed(repository, digest);
    });
  }

  /** Returns whether all are recorded. */
  async recordAll(tags: readonly Tag[], yields: CooperativeYield): Promise<boolean> {
    let isComplete = await succeeds(async () => {
      await this.#names.format.establish();
      await this.#members.format.establish();
    });
    for (const tag of isComplete ? tags : []) {
      await yields.yieldIfDue();
      if (!(await this.record(tag))) isComplete = false;
    }
    return isComplete;
  }

  /** Removes the index entry of a moved name. The records of its manifest remain. */
  moved({ name, descriptor: { digest } }: Tag): void {
    const repository = repositoryOf(name);
    if (repository !== undefined) this.#names.remove(repository, digest, tagFileOf(name));
  }

  /**
   * Removes records after names were removed: a manifest without another name in a repository no longer belongs to it, and a
   * repository without names has no manifests.
   */
  async forget(gone: readonly Tag[]): Promise<void> {
    const repositories = new Map<string, Set<Digest>>();
    for (const tag of gone) {
      const repository = repositoryOf(tag.name);
      if (repository === undefined) continue;
      this.moved(tag);
      repositories.set(repository, (repositories.get(repository) ?? new Set()).add(tag.descriptor.digest));
    }
    // Each is checked again afterwards: another process may have set a tag meanwhile.
    for (const [repository, digests] of repositories) {
      if (this.#hasNoNames(repository)) {
        await this.#members.removeManifests(repository);
        for (const digest of this.#names.digests(repository)) await this.#members.recordNamed(repository, digest);
        continue;
      }
      for (const digest of digests) {
        if (this.#names.has(repository, digest)) continue;
        await this.#members.remove(repository, digest);
        if (this.#names.has(repository, digest)) await this.#members.recordNamed(repository, digest);
      }
    }
  }

  #hasNoNames(repository: string): boolean {
    for (const _ of this.#names.digests(repository)) return false;
    return true;
  }
}

/** Returns false if it throws an error of the cache. */
async function succeeds(work: () => Promise<void>): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (error) {
    if (MoteError.isInstance(error)) return false;
    throw error;
  }
}

function repositoryOf(name: string): string | undefined {
  return parseImageName(name)?.repository.full;
}
