import { type Descriptor, type Digest, isRepositoryPath, type MoteSource } from "@mote/core";
import { ManifestSummaries } from "./manifest-summaries.js";
import type { Repositories } from "./repositories.js";

/** The maximum number of cached digests of all repositories. Beyond it, the least recently requested repositories are removed. */
const maxCachedDigests = 500_000;

/** The content of a repository that is known so far. */
interface RepositoryIndex {
  /** For each child, one manifest that refers to it. */
  readonly parents: Map<Digest, Digest>;
  readonly walked: Set<Digest>;
  /** Manifests that were not stored when they were searched. */
  readonly missing: Set<Digest>;
  /** Referrers by subject. */
  readonly referrers: Map<Digest, Set<Digest>>;
  walking: Promise<void> | undefined;
  next: Promise<void> | undefined;
}

/**
 * Returns what belongs to a repository: the manifests that were stored or tagged in it, and everything that they refer to if they are stored.
 * Results are cached, and validated by checking a few files before each use.
 */
export function repositoryContents(source: MoteSource, repositories: Repositories) {
  const manifests = new ManifestSummaries(source);
  const indexes = new Map<string, RepositoryIndex>();

  /**
   * Returns the full name of the repository that a client requests, if it has the content. A local repository may have blobs before it has a
   * manifest, and goes before a registry's repository with the same path.
   */
  async function locate(name: string, namespace: string | undefined, digest: Digest): Promise<string | undefined> {
    const isLocal = namespace === undefined && isRepositoryPath(name);
    if (isLocal && (await repositories.has(name, digest))) return name;
    const repository = await repositories.resolve(name, namespace);
    return repository !== undefined && (await has(repository, digest)) ? repository : undefined;
  }

  /** Returns a stored manifest of the repository that refers to the content. */
  async function parent(repository: string, digest: Digest): Promise<Digest | undefined> {
    await walkAll(repository);
    for (;;) {
      const parent = indexOf(repository).parents.get(digest);
      if (parent === undefined) return undefined;
      if ((await source.moteExists(parent)) && (await isKnown(repository, parent))) return parent;
      // Another manifest may refer to it.
      indexes.delete(repository);
      await walkAll(repository);
    }
  }

  async function has(repository: string, digest: Digest): Promise<boolean> {
    if (await isKnown(repository, digest)) return true;
    await walkAll(repository);
    if (await isKnown(repository, digest)) return true;
    if (!(await repositories.derive())) return false;
    await walkAll(repository);
    return await isKnown(repository, digest);
  }

  /** Returns the manifests of the repository that refer to `subject`. */
  async function referrers(repository: string, subject: Digest): Promise<Descriptor[]> {
    await walkAll(repository);
    if (await repositories.derive()) await walkAll(repository);
    const referrers: Descriptor[] = [];
    for (const digest of indexOf(repository).referrers.get(subject) ?? []) {
      if (!(await isKnown(repository, digest))) continue;
      const summary = await manifests.of(digest);
      if (summary !== undefined) referrers.push({ digest, mediaType: summary.mediaType, size: summary.size });
    }
    return referrers;
  }

  async function isKnown(repository: string, digest: Digest): Promise<boolean> {
    const parent = indexOf(repository).parents.get(digest);
    if (parent !== undefined && (await source.moteExists(parent)) && (await isKnown(repository, parent))) {
      return true;
    }
    if (await repositories.has(repository, digest)) return true;
    // Another manifest may refer to it, so the next walk starts over.
    if (parent !== undefined) indexes.delete(repository);
    return false;
  }

  /** Walks the manifests. Callers during a walk share the next one, because the requested content may have been added since. */
  function walkAll(repository: string): Promise<void> {
    const found = indexOf(repository);
    found.next ??= (found.walking ?? Promise.resolve()).then(() => {
      found.next = undefined;
      const walk = walkOnce(repository, found);
      found.walking = walk.catch(() => {});
      return walk;
    });
    return found.next;
  }

  async function walkOnce(repository: string, found: RepositoryIndex): Promise<void> {
    const waiting = [...found.missing];
    for await (const digest of repositories.list(repository)) waiting.push(digest);
    for (const digest of waiting) {
      if (found.walked.has(digest)) continue;
      const summary = await manifests.of(digest);
      if (summary === undefined) {
        found.missing.add(digest);
        continue;
      }
      found.walked.add(digest);
      found.missing.delete(digest);
      for (const child of summary.children) if (!found.parents.has(child)) found.parents.set(child, digest);
      waiting.push(...summary.manifests);
      const { subject } = summary;
      if (subject !== undefined) {
        found.referrers.set(subject, (found.referrers.get(subject) ?? new Set()).add(digest));
      }
    }
    evictOldest(found);
  }

  function indexOf(repository: string): RepositoryIndex {
    const found = indexes.get(repository) ?? {
      parents: new Map(),
      walked: new Set(),
      missing: new Set(),
      referrers: new Map(),
      walking: undefined,
      next: undefined,
    };
    // Keeps the order of the last requests.
    indexes.delete(repository);
    indexes.set(repository, found);
    return found;
  }

  function evictOldest(current: RepositoryIndex): void {
    let total = 0;
    for (const { parents, walked } of indexes.values()) total += parents.size + walked.size;
    for (const [repository, found] of indexes) {
      if (total <= maxCachedDigests || found === current) return;
      indexes.delete(repository);
      total -= found.parents.size + found.walked.size;
    }
  }

  return { locate, parent, has, referrers };
}

export type RepositoryContents = ReturnType<typeof repositoryContents>;
