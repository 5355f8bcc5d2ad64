import {
  type Cancellable,
  hasCode,
  isNotFound,
  type ListOptions,
  MoteError,
  messageOf,
  type Ref,
  type RegistryRef,
} from "@mote/core";
import type { Parts } from "../parts.js";
import { tagFilter } from "../patterns/tag-filter.js";
import { allTags } from "./all-tags.js";
import { type ImageName, nameOfEntry, nameOfImage, readName, renamed } from "./image-name.js";
import { newestTags } from "./newest-tags.js";
import { repositoryAt } from "./registry-prefix.js";
import { listing, type SourcePool } from "./source-pool.js";
import { badLine, readList } from "./sync-list.js";
import type { SyncOptions, SyncSource } from "./types.js";

/** An image to move, or why it cannot be moved. */
export type FoundImage = { readonly source: string; readonly line?: number | undefined } & (
  | { readonly ref: Ref; readonly name: ImageName; readonly error?: undefined }
  | { readonly error: MoteError }
);

export type FindOptions = Cancellable & Pick<SyncOptions, "tags" | "newest" | "rename">;

/** Finds the images of a source. @throws MOTE_NOT_FOUND if it has none · MOTE_INVALID_REFERENCE · MOTE_UNSUPPORTED_TRANSPORT, and what its location throws */
export async function findImages(
  source: SyncSource,
  parts: Parts,
  pool: SourcePool,
  options: FindOptions,
): Promise<readonly FoundImage[]> {
  const finder = new ImageFinder(parts, pool, options);
  return typeof source === "string" ? finder.ofReference(source) : finder.ofList(source.list);
}

class ImageFinder {
  readonly #parts: Parts;
  readonly #pool: SourcePool;
  readonly #options: FindOptions;
  readonly #isWanted: (tag: string) => boolean;

  constructor(parts: Parts, pool: SourcePool, options: FindOptions) {
    this.#parts = parts;
    this.#pool = pool;
    this.#options = options;
    this.#isWanted = tagFilter(options.tags ?? []);
  }

  async ofList(text: string): Promise<readonly FoundImage[]> {
    const images: FoundImage[] = [];
    for (const { line, source, name, error } of readList(text)) {
      try {
        if (error !== undefined) throw error;
        const found = await this.#ofLine(source, name);
        for (const image of found) images.push({ ...image, line });
      } catch (failure) {
        this.#options.signal?.throwIfAborted();
        if (!MoteError.isInstance(failure)) throw failure;
        images.push({ source, line, error: failure === error ? error : badLine(line, failure) });
      }
    }
    return images;
  }

  async ofReference(source: string): Promise<readonly FoundImage[]> {
    const registry = registryIn(source);
    if (registry !== undefined) return this.#ofRegistry(registry);
    const ref = this.#parts.references.parseMovable(source, "source");
    if (ref.transport !== "docker") return this.#ofLocation(ref, undefined);
    // A reference without a tag means latest elsewhere.
    if (/[:@][^/]*$/.test(source.replace(/^\w+:\/\//, ""))) return [this.#image(ref, undefined)];
    const { tag: _, ...repository } = ref;
    return this.#ofRepository(repository);
  }

  async #ofLine(source: string, name: string | undefined): Promise<readonly FoundImage[]> {
    const ref = this.#parts.references.parseMovable(source, "source");
    if (ref.transport !== "docker") return this.#ofLocation(ref, name);
    const isSelected = ref.tag === undefined || this.#isWanted(ref.tag);
    return isSelected ? [this.#image(ref, name)] : [];
  }

  /** Lists the images of all repositories of a registry. A repository without a selected tag is left out. */
  async #ofRegistry(host: string): Promise<readonly FoundImage[]> {
    const { signal } = this.#options;
    const { listRepositories, readRegistry } = await import("@mote/registry");
    const { client } = await this.#parts.endpoints.registries();
    const where = readRegistry(host);
    const page = async (options: ListOptions) => {
      const { repositories, hasMore } = await listRepositories(client, where, options);
      return { tags: repositories, hasMore };
    };
    const repositories = await allTags(page, { signal, name: where.registry }).catch((error: unknown) => {
      throw hasCode(error, ...noCatalogue) ? withoutCatalogue(where.registry, error) : error;
    });
    const images: FoundImage[] = [];
    for (const repository of repositories) {
      try {
        images.push(...(await this.#ofRepository(repositoryAt({ ...where, prefix: "" }, repository))));
      } catch (error) {
        if (!MoteError.isInstance(error)) throw error;
        if (!isNotFound(error)) images.push({ source: `${where.registry}/${repository}`, error });
      }
    }
    if (images.length === 0) throw noTags(where.registry, "has no images, or none that match --tags");
    return images;
  }

  async #ofRepository(ref: RegistryRef): Promise<readonly FoundImage[]> {
    const { signal, newest } = this.#options;
    const where = `${ref.registry}/${ref.repository}`;
    const source = await this.#pool.open(ref);
    const { RegistryRepository } = await import("@mote/registry");
    const { client } = await this.#parts.endpoints.registries();
    const repository = new RegistryRepository(client, ref);
    const tags = await allTags((page) => repository.tags(page), { signal, name: where }).catch((error: unknown) => {
      throw isNotFound(error) ? noTags(where, "has no tags, or does not exist; check its name") : error;
    });
    if (tags.length === 0) throw noTags(where, "has no tags; check its name");
    const wanted = tags.filter(this.#isWanted);
    if (wanted.length === 0)
      throw noTags(where, `has ${tags.length} tags, and none matches --tags; check the patterns`);
    const chosen = newest === undefined ? wanted.sort() : await newestTags(source, ref, wanted, { ...newest, signal });
    return chosen.map((tag) => this.#image({ ...ref, tag }, undefined));
  }

  async #ofLocation(ref: Exclude<Ref, RegistryRef>, name: string | undefined): Promise<readonly FoundImage[]> {
    const { signal } = this.#options;
    const { references } = this.#parts;
    const source = await this.#pool.open(ref);
    const isOne = ref.tag !== undefined || ref.digest !== undefined || ref.index !== undefined;
    const location = { transport: ref.transport, path: ref.path };
    const lists = listing(source);
    if (isOne || lists === undefined) {
      const { digest } = await source.resolve(ref, { signal });
      const own = nameOfEntry(ref.tag, digest);
      return [{ source: references.format(ref), ref, name: this.#named(own, name) }];
    }
    const entries = await lists.images({ signal });
    const shown = references.format(location);
    if (entries.length === 0) throw noTags(shown, "contains no images; check its path");
    const images = entries.map(({ name: full, descriptor }) => ({
      own: nameOfEntry(full, descriptor.digest),
      descriptor,
    }));
    const wanted = images.filter(({ own }) => own.tag === undefined || this.#isWanted(own.tag));
    if (wanted.length === 0) throw noTags(shown, `contains ${images.length} images, and none matches --tags`);
    if (name !== undefined && wanted.length > 1)
      throw noTags(shown, `contains ${wanted.length} images; write one with its tag`);
    return wanted.map(({ own, descriptor }) => ({
      source: own.tag === undefined ? `${shown}@${descriptor.digest}` : `${shown}:${own.full}`,
      // The manifests of a docker-archive are generated: its images are found by name.
      ref: { ...location, ...(ref.transport === "docker-archive" ? { tag: own.full } : { digest: descriptor.digest }) },
      name: this.#named(own, name),
    }));
  }

  #image(ref: RegistryRef, name: string | undefined): FoundImage {
    const source = this.#parts.references.nameInCache(ref);
    return { source, ref, name: this.#named(nameOfImage(ref), name) };
  }

  #named(own: ImageName, name: string | undefined): ImageName {
    return name === undefined ? renamed(own, this.#options.rename ?? {}) : readName(name, own);
  }
}

const noCatalogue = ["MOTE_NOT_FOUND", "MOTE_UNAUTHORIZED", "MOTE_FORBIDDEN", "MOTE_REGISTRY"] as const;

function withoutCatalogue(registry: string, cause: unknown): MoteError {
  const message = `cannot sync ${registry}: it does not list its repositories (${messageOf(cause)}); write docker://${registry}/REPOSITORY, or a list of images`;
  const code = MoteError.isInstance(cause) ? cause.code : "MOTE_REGISTRY";
  return new MoteError(code, message, { cause, details: { registry } });
}

/** Returns the registry if the reference is one without a repository: `docker://HOST`. */
function registryIn(source: string): string | undefined {
  const [, named, withSlash] =
    /^docker:\/\/(?:((?:localhost|[^:/@]*\.[^:/@]*|\[[^/]*\])(?::\d+)?)|([^/@]+)\/)\/?$/.exec(source) ?? [];
  return named ?? withSlash;
}

function noTags(where: string, why: string): MoteError {
  return new MoteError("MOTE_NOT_FOUND", `cannot sync ${where}: it ${why}`, { details: { source: where } });
}
