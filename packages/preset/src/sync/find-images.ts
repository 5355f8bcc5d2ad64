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
import { tagFilter } from "../patterns/glob.js";
import { listing, type SourcePool } from "../sources/source-pool.js";
import { allTags, tagsOfRepository } from "./all-tags.js";
import { type ImageName, nameOfEntry, nameOfImage, readName, renamed } from "./image-name.js";
import { newestTags } from "./newest-tags.js";
import { repositoryAt } from "./registry-prefix.js";
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
  { endpoints, references }: Parts,
  pool: SourcePool,
  { tags: globs = [], newest, rename = {}, signal }: FindOptions,
): Promise<readonly FoundImage[]> {
  const isWanted = tagFilter(globs);
  const named = (own: ImageName, name: string | undefined) =>
    name === undefined ? renamed(own, rename) : readName(name, own);
  const imageOf = (ref: RegistryRef, name?: string): FoundImage => {
    return { source: references.nameInCache(ref), ref, name: named(nameOfImage(ref), name) };
  };

  const ofList = async (text: string): Promise<readonly FoundImage[]> => {
    const images: FoundImage[] = [];
    for (const { line, source, name, error } of readList(text)) {
      try {
        if (error !== undefined) throw error;
        const found = await ofLine(source, name);
        for (const image of found) images.push({ ...image, line });
      } catch (failure) {
        signal?.throwIfAborted();
        if (!MoteError.isInstance(failure)) throw failure;
        images.push({ source, line, error: failure === error ? error : badLine(line, failure) });
      }
    }
    return images;
  };

  const ofLine = async (text: string, name: string | undefined): Promise<readonly FoundImage[]> => {
    const ref = references.parseMovable(text, "source");
    if (ref.transport !== "docker") return ofLocation(ref, name);
    return ref.tag === undefined || isWanted(ref.tag) ? [imageOf(ref, name)] : [];
  };

  const ofReference = async (text: string): Promise<readonly FoundImage[]> => {
    const registry = registryIn(text);
    if (registry !== undefined) return ofRegistry(registry);
    const ref = references.parseMovable(text, "source");
    if (ref.transport !== "docker") return ofLocation(ref, undefined);
    // A reference without a tag means latest elsewhere.
    if (/[:@][^/]*$/.test(text.replace(/^\w+:\/\//, ""))) return [imageOf(ref)];
    const { tag: _, ...repository } = ref;
    return ofRepository(repository);
  };

  /** Lists the images of all repositories of a registry. A repository without a selected tag is left out. */
  const ofRegistry = async (host: string): Promise<readonly FoundImage[]> => {
    const { listRepositories, readRegistry } = await import("@mote/registry");
    const { client } = await endpoints.registries();
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
        images.push(...(await ofRepository(repositoryAt({ ...where, prefix: "" }, repository))));
      } catch (error) {
        if (!MoteError.isInstance(error)) throw error;
        if (!isNotFound(error)) images.push({ source: `${where.registry}/${repository}`, error });
      }
    }
    if (images.length === 0) throw noTags(where.registry, "has no images, or none that match --tags");
    return images;
  };

  const ofRepository = async (ref: RegistryRef): Promise<readonly FoundImage[]> => {
    const where = `${ref.registry}/${ref.repository}`;
    const all = await tagsOfRepository(endpoints, ref, { signal }).catch((error: unknown) => {
      throw isNotFound(error) ? noTags(where, "has no tags, or does not exist; check its name") : error;
    });
    if (all.length === 0) throw noTags(where, "has no tags; check its name");
    const wanted = all.filter(isWanted);
    if (wanted.length === 0) throw noTags(where, `has ${all.length} tags, and none matches --tags; check the patterns`);
    const chosen =
      newest === undefined ? wanted.sort() : await newestTags(await pool.open(ref), ref, wanted, { ...newest, signal });
    return chosen.map((tag) => imageOf({ ...ref, tag }));
  };

  const ofLocation = async (
    ref: Exclude<Ref, RegistryRef>,
    name: string | undefined,
  ): Promise<readonly FoundImage[]> => {
    const opened = await pool.open(ref);
    const isOne = ref.tag !== undefined || ref.digest !== undefined || ref.index !== undefined;
    const location = { transport: ref.transport, path: ref.path };
    const lists = listing(opened);
    if (isOne || lists === undefined) {
      const { digest } = await opened.resolve(ref, { signal });
      return [{ source: references.format(ref), ref, name: named(nameOfEntry(ref.tag, digest), name) }];
    }
    const entries = await lists.images({ signal });
    const shown = references.format(location);
    if (entries.length === 0) throw noTags(shown, "contains no images; check its path");
    const images = entries.map(({ name: full, descriptor: { digest } }) => ({
      own: nameOfEntry(full, digest),
      digest,
    }));
    const wanted = images.filter(({ own }) => own.tag === undefined || isWanted(own.tag));
    if (wanted.length === 0) throw noTags(shown, `contains ${images.length} images, and none matches --tags`);
    if (name !== undefined && wanted.length > 1)
      throw noTags(shown, `contains ${wanted.length} images; write one with its tag`);
    return wanted.map(({ own, digest }) => ({
      source: own.tag === undefined ? `${shown}@${digest}` : `${shown}:${own.full}`,
      // The manifests of a docker-archive are generated: its images are found by name.
      ref: { ...location, ...(ref.transport === "docker-archive" ? { tag: own.full } : { digest }) },
      name: named(own, name),
    }));
  };

  return typeof source === "string" ? ofReference(source) : ofList(source.list);
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
