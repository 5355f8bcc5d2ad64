import {
  type Cancellable,
  type ContentSource,
  closureOf,
  type Digest,
  formatLocation,
  isNotFound,
  knownLocations,
  type MoteCache,
  MoteError,
  type Ref,
  rootsOf,
  takeInventory,
} from "@mote/core";
import type { Parts } from "../parts.js";
import { locationOf, type References } from "../references/references.js";
import { isSilence } from "./registry-failure.js";
import { SourcePool } from "./source-pool.js";

/** Maximum number of locations to try for a blob or manifest. */
const maxPlaces = 8;

/** Returns a source of content by digest, from where it was seen, or from the sources of images that contain it. Does not verify it. */
export function digestSource(root: Digest, parts: Parts): ContentSource {
  const { bic, cache, references, endpoints } = parts;
  const pool = new SourcePool(endpoints, { registries: true });
  const servedBy = new Map<Digest, Ref>();
  /** Registries that did not respond. They are not contacted again. */
  const silent = new Map<string, MoteError>();
  let locationsOfNames: Promise<ReadonlyMap<Digest, readonly Ref[]>> | undefined;

  /** Returns where it was seen, newest first, where the image that contains it was seen, and where that came from by its name. */
  const locationsOf = async (digest: Digest, options: Cancellable): Promise<readonly Ref[]> => {
    const own = await knownLocations(bic, references.codec, digest, options);
    const whole = digest === root ? own : await knownLocations(bic, references.codec, root, options);
    locationsOfNames ??= registriesByNames(cache, references, options);
    const byNames = await locationsOfNames;
    const named = byNames.get(digest) ?? byNames.get(root) ?? [];
    const isAllowed = ({ transport }: Ref) => !endpoints.offline || transport !== "docker";
    const known = [...[...own.locations, ...whole.locations].map(({ ref }) => ref), ...named].filter(isAllowed);
    const places = known.map(locationOf);
    return [...new Map(places.map((ref) => [formatLocation(ref), ref])).values()].slice(0, maxPlaces);
  };

  /** Returns the content from the first location that has it. */
  const first = async <T>(
    digest: Digest,
    { signal }: Cancellable,
    read: (source: ContentSource) => Promise<T>,
  ): Promise<T> => {
    const errors: unknown[] = [];
    const places = await locationsOf(digest, { signal });
    for (const ref of places) {
      const registry = ref.transport === "docker" ? ref.registry : undefined;
      const silence = registry && silent.get(registry);
      if (silence !== undefined) {
        errors.push(silence);
        continue;
      }
      try {
        const found = await read(await pool.open(ref));
        servedBy.set(digest, ref);
        return found;
      } catch (error) {
        signal?.throwIfAborted();
        if (registry !== undefined && MoteError.isInstance(error) && isSilence(error)) silent.set(registry, error);
        errors.push(error);
      }
    }
    const failure = errors.find((error) => !isNotFound(error));
    if (failure !== undefined) throw failure;
    const asked = places.map((ref) => references.codec.format({ ...ref, digest })).join(", ");
    const nowhere = endpoints.offline ? "and --offline contacts no registry" : "and no other location of it is known";
    const where = asked === "" ? nowhere : `and is not found at ${asked}`;
    throw new MoteError("MOTE_NOT_FOUND", `${digest} is not in the cache, ${where}`, {
      cause: errors[0],
      details: { digest },
    });
  };

  return {
    resolve: (_ref, options = {}) => first(root, options, (source) => source.resolve(root, options)),
    manifest: (descriptor, options = {}) =>
      first(descriptor.digest, options, (source) => source.manifest(descriptor, options)),
    blob: (descriptor, options = {}) => first(descriptor.digest, options, (source) => source.blob(descriptor, options)),
    servedBy: ({ digest }) => servedBy.get(digest),
    async *referrers(descriptor, options = {}) {
      for (const ref of await locationsOf(descriptor.digest, options)) {
        const source = await pool.open(ref);
        if (source.referrers !== undefined) return yield* source.referrers(descriptor, options);
      }
    },
    [Symbol.asyncDispose]: () => pool[Symbol.asyncDispose](),
  };
}

/** Returns the registries of each digest, by the names of the cached images that contain it. */
async function registriesByNames(
  cache: MoteCache,
  references: References,
  options: Cancellable,
): Promise<ReadonlyMap<Digest, readonly Ref[]>> {
  const places = new Map<Digest, Ref[]>();
  if (cache.motes === undefined) return places;
  const inventory = await takeInventory(cache, options);
  for (const { digest: root, names } of rootsOf(inventory)) {
    const registries = names
      .flatMap((name) => references.sourceOf(name) ?? [])
      .filter(({ transport }) => transport === "docker");
    if (registries.length === 0) continue;
    for (const digest of closureOf(inventory, root)) {
      places.set(digest, [...(places.get(digest) ?? []), ...registries]);
    }
  }
  return places;
}
