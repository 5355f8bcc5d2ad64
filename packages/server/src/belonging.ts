import type { Descriptor, Digest, MoteSource } from "@mote/core";
import { ManifestFactsReader } from "./manifest-facts.js";
import type { Repositories } from "./repositories.js";

/** Digests that are remembered of all repositories together; those that were not asked for the longest are found again when asked for. */
const mostRemembered = 500_000;

/** What was found below a repository's manifests. */
interface Found {
  /** Of what a manifest refers to, one such manifest. */
  readonly parents: Map<Digest, Digest>;
  readonly walked: Set<Digest>;
  /** Manifests that are referred to and were not there: they may come. */
  readonly absent: Set<Digest>;
  /** By what they refer to. */
  readonly referrers: Map<Digest, Set<Digest>>;
  walking: Promise<void> | undefined;
  next: Promise<void> | undefined;
}

/**
 * Tells what belongs to a repository: manifests that were stored or tagged under its name, and all that those of them which are there
 * refer to. It is looked for when it is asked for, and remembered; a remembered answer is checked against what is there before it is
 * given again, which takes a few looks at files, however many names there are.
 */
export class Belonging {
  readonly #source: MoteSource;
  readonly #repositories: Repositories;
  readonly #manifests: ManifestFactsReader;
  readonly #found = new Map<string, Found>();

  constructor(source: MoteSource, repositories: Repositories) {
    this.#source = source;
    this.#repositories = repositories;
    this.#manifests = new ManifestFactsReader(source);
  }

  async has(repository: string, digest: Digest): Promise<boolean> {
    if (await this.#isKnown(repository, digest)) return true;
    await this.#walk(repository);
    if (await this.#isKnown(repository, digest)) return true;
    if (!(await this.#repositories.derive())) return false;
    await this.#walk(repository);
    return await this.#isKnown(repository, digest);
  }

  /** The repository's manifests whose subject it is. */
  async referrers(repository: string, subject: Digest): Promise<Descriptor[]> {
    await this.#walk(repository);
    if (await this.#repositories.derive()) await this.#walk(repository);
    const found: Descriptor[] = [];
    for (const digest of this.#foundOf(repository).referrers.get(subject) ?? []) {
      if (!(await this.#isKnown(repository, digest))) continue;
      const facts = await this.#manifests.of(digest);
      if (facts !== undefined) found.push({ digest, mediaType: facts.mediaType, size: facts.size });
    }
    return found;
  }

  async #isKnown(repository: string, digest: Digest): Promise<boolean> {
    const parent = this.#foundOf(repository).parents.get(digest);
    if (parent !== undefined && (await this.#source.moteExists(parent)) && (await this.#isKnown(repository, parent))) {
      return true;
    }
    if (await this.#repositories.has(repository, digest)) return true;
    // Another manifest may refer to it: the next walk begins again.
    if (parent !== undefined) this.#found.delete(repository);
    return false;
  }

  /** Callers that come while a walk is on its way share the next one: what they ask for may have come since. */
  #walk(repository: string): Promise<void> {
    const found = this.#foundOf(repository);
    found.next ??= (found.walking ?? Promise.resolve()).then(() => {
      found.next = undefined;
      const walk = this.#walkOnce(repository, found);
      found.walking = walk.catch(() => {});
      return walk;
    });
    return found.next;
  }

  async #walkOnce(repository: string, found: Found): Promise<void> {
    const waiting = [...found.absent];
    for await (const digest of this.#repositories.list(repository)) waiting.push(digest);
    for (const digest of waiting) {
      if (found.walked.has(digest)) continue;
      const facts = await this.#manifests.of(digest);
      if (facts === undefined) {
        found.absent.add(digest);
        continue;
      }
      found.walked.add(digest);
      found.absent.delete(digest);
      for (const child of facts.children) if (!found.parents.has(child)) found.parents.set(child, digest);
      waiting.push(...facts.manifests);
      const { subject } = facts;
      if (subject !== undefined) {
        found.referrers.set(subject, (found.referrers.get(subject) ?? new Set()).add(digest));
      }
    }
    this.#forgetOldest(found);
  }

  #foundOf(repository: string): Found {
    const found = this.#found.get(repository) ?? {
      parents: new Map(),
      walked: new Set(),
      absent: new Set(),
      referrers: new Map(),
      walking: undefined,
      next: undefined,
    };
    // The order is that of the last request.
    this.#found.delete(repository);
    this.#found.set(repository, found);
    return found;
  }

  #forgetOldest(current: Found): void {
    let total = 0;
    for (const { parents, walked } of this.#found.values()) total += parents.size + walked.size;
    for (const [repository, found] of this.#found) {
      if (total <= mostRemembered || found === current) return;
      this.#found.delete(repository);
      total -= found.parents.size + found.walked.size;
    }
  }
}
