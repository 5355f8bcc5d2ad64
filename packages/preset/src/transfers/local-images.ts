import {
  type Cancellable,
  type Digest,
  type MoteCache,
  MoteError,
  parseRepositoryName,
  readManifest,
} from "@mote/core";

/**
 * Returns the manifests that were pushed to this cache and may exist nowhere else: those with a tag in a repository without a registry, and
 * what refers to them, such as signatures.
 */
export async function localImages(cache: MoteCache, options: Cancellable = {}): Promise<ReadonlySet<Digest>> {
  const found = new Set<Digest>();
  const { membership, tags } = cache;
  if (membership === undefined || tags === undefined) return found;
  for await (const repository of membership.repositories({ ...options, named: true })) {
    if (parseRepositoryName(repository)?.registry !== undefined) continue;
    for await (const { descriptor } of tags.list({ ...options, prefix: `${repository}:` }))
      found.add(descriptor.digest);
    const subjects = new Map<Digest, Digest | undefined>();
    for await (const digest of membership.list(repository, options)) {
      if (!found.has(digest)) subjects.set(digest, await subjectOf(cache, digest, options));
    }
    for (let before = -1; before !== found.size; ) {
      before = found.size;
      for (const [digest, subject] of subjects) if (subject !== undefined && found.has(subject)) found.add(digest);
    }
  }
  return found;
}

/** Returns undefined for content that cannot be read as a manifest. */
async function subjectOf(cache: MoteCache, digest: Digest, options: Cancellable): Promise<Digest | undefined> {
  try {
    const info = await cache.find(digest, options);
    return info && (await readManifest(cache, info, { ...options, countsAsUse: false })).subject?.digest;
  } catch (error) {
    if (MoteError.isInstance(error)) return undefined;
    throw error;
  }
}
