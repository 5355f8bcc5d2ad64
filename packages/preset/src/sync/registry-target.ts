import { type Cancellable, type Digest, hasCode, isNotFound, type RegistryRef } from "@mote/core";
import type { Parts } from "../parts.js";
import { tagsOfRepository } from "./all-tags.js";
import type { ImageName } from "./image-name.js";
import { type RegistryPrefix, refBelow, repositoriesBelow, repositoryAt } from "./registry-prefix.js";
import { SentBlobs } from "./sent-blobs.js";
import { sharedRepository } from "./shared-repository.js";
import type { RemovableName, SyncTarget } from "./sync-target.js";

/** Returns the repositories of a registry as the destination of many images. */
export function registryTarget(where: RegistryPrefix, { endpoints, references }: Parts): SyncTarget {
  const blobs = new SentBlobs();
  /** The tags of repositories when they were first needed; undefined if they cannot be listed, or are too many. */
  const firstTags = new Map<string, Promise<ReadonlySet<string> | undefined>>();
  const repositoriesOf = (images: readonly ImageName[]) =>
    images.flatMap((name) => repositoriesBelow(where, name)).map(({ repository }) => repository);

  /** Lists all tags of a repository; none if it does not exist. */
  const listTags = (ref: RegistryRef, options: Cancellable) =>
    tagsOfRepository(endpoints, ref, options).catch((error: unknown) => {
      if (isNotFound(error)) return [];
      throw error;
    });

  /** Returns the tags of a repository from one request. */
  const readFirstTags = async (ref: RegistryRef, { signal }: Cancellable) => {
    try {
      const { tags, hasMore } = await (await endpoints.repository(ref)).tags({ limit: 1000, signal });
      return hasMore ? undefined : new Set(tags);
    } catch (error) {
      if (isNotFound(error)) return new Set<string>();
      signal?.throwIfAborted();
      // Each image reports why the registry fails.
      if (hasCode(error, "MOTE_UNAUTHORIZED", "MOTE_FORBIDDEN", "MOTE_REGISTRY", "MOTE_TOO_LARGE")) return undefined;
      throw error;
    }
  };

  const tagsOf = (ref: RegistryRef, options: Cancellable) => {
    const tags = firstTags.get(ref.repository) ?? readFirstTags(ref, options);
    firstTags.set(ref.repository, tags);
    return tags;
  };

  return {
    isRegistry: true,
    // Checks the names, which may come from elsewhere.
    locate: (name) => references.format(references.parse(references.format(refBelow(where, name)))),
    async isCurrent(name, descriptor, { signal }) {
      const { tag, digest: _, ...repository } = refBelow(where, name);
      if (tag !== undefined && (await tagsOf(repository, { signal }))?.has(tag) === false) return false;
      const ref = tag === undefined ? { ...repository, digest: descriptor.digest } : { ...repository, tag };
      try {
        const { digest } = await (await endpoints.repository(repository)).resolve(ref, { signal });
        return digest === descriptor.digest;
      } catch (error) {
        if (isNotFound(error)) return false;
        throw error;
      }
    },
    async open(name, reliedOn) {
      const { tag: _, digest: __, ...repository } = refBelow(where, name);
      const inner = await endpoints.destination(repository);
      return sharedRepository(inner, repository, blobs, (digest: Digest) =>
        repositoriesOf(reliedOn.get(digest)?.images ?? []),
      );
    },
    async hasReliedOn(name, descriptor, { images }, { signal }) {
      if (blobs.repositoriesWith(descriptor.digest).size > 0) return true;
      for (const repository of new Set([refBelow(where, name).repository, ...repositoriesOf(images)])) {
        const destination = await endpoints.destination(repositoryAt(where, repository));
        if (!(await destination.has(descriptor, { signal }))) continue;
        blobs.record(descriptor.digest, repository);
        return true;
      }
      return false;
    },
    async others(kept, options) {
      const byRepository = new Map<string, Set<string>>();
      for (const name of kept) {
        const { repository, tag } = refBelow(where, name);
        const tags = byRepository.get(repository) ?? new Set();
        if (tag !== undefined) tags.add(tag);
        byRepository.set(repository, tags);
      }
      const found: RemovableName[] = [];
      for (const [repository, tags] of byRepository) {
        const ref = repositoryAt(where, repository);
        for (const tag of await listTags(ref, options)) {
          if (tags.has(tag) || isReferrersTag(tag)) continue;
          found.push({ destination: references.format({ ...ref, tag }), tag });
        }
      }
      return found;
    },
    async remove(names, { signal }) {
      const { removeTags } = await import("@mote/registry");
      const { client } = await endpoints.registries();
      const kept = new Map<string, string>();
      const byRepository = new Map<string, { readonly ref: RegistryRef; readonly tags: Map<string, string> }>();
      for (const { destination, tag } of names) {
        const { tag: _, ...ref } = references.parse(destination) as RegistryRef;
        const known = byRepository.get(ref.repository) ?? { ref, tags: new Map() };
        byRepository.set(ref.repository, known);
        known.tags.set(tag, destination);
      }
      for (const { ref, tags } of byRepository.values()) {
        const all = await listTags(ref, { signal });
        const remaining = all.filter((tag) => !tags.has(tag));
        const reasons = await removeTags(client, ref, [...tags.keys()], { remaining, signal });
        for (const [tag, reason] of reasons) kept.set(tags.get(tag) ?? tag, reason);
      }
      return kept;
    },
    async finish() {},
    async [Symbol.asyncDispose]() {},
  };
}

/** Referrers' tags and cosign's belong to an image and are kept with it. */
function isReferrersTag(tag: string): boolean {
  return /^sha(?:256|512)-[0-9a-f]{64,128}(?:\.\w+)?$/.test(tag);
}
