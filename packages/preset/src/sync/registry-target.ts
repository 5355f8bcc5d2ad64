import {
  type Cancellable,
  type ContentDestination,
  type Descriptor,
  type Digest,
  hasCode,
  isNotFound,
  type RegistryRef,
} from "@mote/core";
import type { Parts } from "../parts.js";
import { allTags } from "./all-tags.js";
import type { ImageName } from "./image-name.js";
import { type RegistryPrefix, refBelow, repositoriesBelow, repositoryAt } from "./registry-prefix.js";
import { SentBlobs } from "./sent-blobs.js";
import { SharedRepository } from "./shared-repository.js";
import type { ReliedOn, RemovableName, SyncTarget } from "./sync-target.js";

/** The repositories of a registry as the destination of many images. */
export class RegistryTarget implements SyncTarget {
  readonly isRegistry = true;
  readonly #where: RegistryPrefix;
  readonly #parts: Parts;
  readonly #blobs = new SentBlobs();
  /** The tags of repositories when they were first needed; undefined if they cannot be listed, or are too many. */
  readonly #tags = new Map<string, Promise<ReadonlySet<string> | undefined>>();

  constructor(where: RegistryPrefix, parts: Parts) {
    this.#where = where;
    this.#parts = parts;
  }

  locate(name: ImageName): string {
    const { references } = this.#parts;
    const ref = this.#refOf(name);
    // Checks the names, which may come from elsewhere.
    return references.format(references.parse(references.format(ref)));
  }

  async isCurrent(name: ImageName, descriptor: Descriptor, { signal }: Cancellable): Promise<boolean> {
    const { tag, digest: _, ...repository } = this.#refOf(name);
    const { RegistryRepository } = await import("@mote/registry");
    const { client } = await this.#parts.endpoints.registries();
    if (tag !== undefined && (await this.#tagsOf(repository, { signal }))?.has(tag) === false) return false;
    const ref = tag === undefined ? { ...repository, digest: descriptor.digest } : { ...repository, tag };
    try {
      const { digest } = await new RegistryRepository(client, repository).resolve(ref, { signal });
      return digest === descriptor.digest;
    } catch (error) {
      if (isNotFound(error)) return false;
      throw error;
    }
  }

  async open(name: ImageName, reliedOn: ReadonlyMap<Digest, ReliedOn>): Promise<ContentDestination> {
    const { tag: _, digest: __, ...repository } = this.#refOf(name);
    const inner = await this.#parts.endpoints.destination(repository);
    const hints = (digest: Digest) => this.#repositoriesOf(reliedOn.get(digest)?.images ?? []);
    return new SharedRepository(inner, repository, this.#blobs, hints);
  }

  async hasReliedOn(
    name: ImageName,
    descriptor: Descriptor,
    { images }: ReliedOn,
    { signal }: Cancellable,
  ): Promise<boolean> {
    const known = this.#blobs.repositoriesWith(descriptor.digest);
    if (known.size > 0) return true;
    for (const repository of new Set([this.#refOf(name).repository, ...this.#repositoriesOf(images)])) {
      const destination = await this.#parts.endpoints.destination(repositoryAt(this.#where, repository));
      if (!(await destination.has(descriptor, { signal }))) continue;
      this.#blobs.record(descriptor.digest, repository);
      return true;
    }
    return false;
  }

  async others(kept: readonly ImageName[], { signal }: Cancellable): Promise<readonly RemovableName[]> {
    const byRepository = new Map<string, Set<string>>();
    for (const name of kept) {
      const { repository, tag } = this.#refOf(name);
      const tags = byRepository.get(repository) ?? new Set();
      if (tag !== undefined) tags.add(tag);
      byRepository.set(repository, tags);
    }
    const found: RemovableName[] = [];
    for (const [repository, tags] of byRepository) {
      const ref = repositoryAt(this.#where, repository);
      for (const tag of await this.#listTags(ref, { signal })) {
        if (tags.has(tag) || isReferrersTag(tag)) continue;
        found.push({ destination: this.#parts.references.format({ ...ref, tag }), tag });
      }
    }
    return found;
  }

  async remove(names: readonly RemovableName[], { signal }: Cancellable): Promise<ReadonlyMap<string, string>> {
    const { removeTags } = await import("@mote/registry");
    const { client } = await this.#parts.endpoints.registries();
    const kept = new Map<string, string>();
    const byRepository = new Map<string, { readonly ref: RegistryRef; readonly tags: Map<string, string> }>();
    for (const { destination, tag } of names) {
      const { tag: _, ...ref } = this.#parts.references.parse(destination) as RegistryRef;
      const known = byRepository.get(ref.repository) ?? { ref, tags: new Map() };
      byRepository.set(ref.repository, known);
      known.tags.set(tag, destination);
    }
    for (const { ref, tags } of byRepository.values()) {
      const all = await this.#listTags(ref, { signal });
      const remaining = all.filter((tag) => !tags.has(tag));
      const reasons = await removeTags(client, ref, [...tags.keys()], { remaining, signal });
      for (const [tag, reason] of reasons) kept.set(tags.get(tag) ?? tag, reason);
    }
    return kept;
  }

  async finish(): Promise<void> {}

  async [Symbol.asyncDispose](): Promise<void> {}

  #refOf(name: ImageName): RegistryRef {
    return refBelow(this.#where, name);
  }

  #repositoriesOf(images: readonly ImageName[]): readonly string[] {
    return images.flatMap((name) => repositoriesBelow(this.#where, name)).map(({ repository }) => repository);
  }

  /** Lists all tags of a repository; none if it does not exist. */
  async #listTags(ref: RegistryRef, { signal }: Cancellable): Promise<readonly string[]> {
    const { RegistryRepository } = await import("@mote/registry");
    const { client } = await this.#parts.endpoints.registries();
    const repository = new RegistryRepository(client, ref);
    const name = `${ref.registry}/${ref.repository}`;
    try {
      return await allTags((page) => repository.tags(page), { signal, name });
    } catch (error) {
      if (isNotFound(error)) return [];
      throw error;
    }
  }

  /** Returns the tags of a repository from one request. */
  #tagsOf(ref: RegistryRef, { signal }: Cancellable): Promise<ReadonlySet<string> | undefined> {
    const { repository } = ref;
    const known = this.#tags.get(repository);
    if (known !== undefined) return known;
    const listing = this.#firstTags(ref, { signal });
    this.#tags.set(repository, listing);
    return listing;
  }

  async #firstTags(ref: RegistryRef, { signal }: Cancellable): Promise<ReadonlySet<string> | undefined> {
    const { RegistryRepository } = await import("@mote/registry");
    const { client } = await this.#parts.endpoints.registries();
    try {
      const { tags, hasMore } = await new RegistryRepository(client, ref).tags({ limit: 1000, signal });
      return hasMore ? undefined : new Set(tags);
    } catch (error) {
      if (isNotFound(error)) return new Set();
      signal?.throwIfAborted();
      // Each image reports why the registry fails.
      if (hasCode(error, "MOTE_UNAUTHORIZED", "MOTE_FORBIDDEN", "MOTE_REGISTRY", "MOTE_TOO_LARGE")) return undefined;
      throw error;
    }
  }
}

/** Referrers' tags and cosign's belong to an image and are kept with it. */
function isReferrersTag(tag: string): boolean {
  return /^sha(?:256|512)-[0-9a-f]{64,128}(?:\.\w+)?$/.test(tag);
}
