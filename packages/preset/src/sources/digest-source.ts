import {
  type BlobOptions,
  type Cancellable,
  type ContentSource,
  closureOf,
  type Descriptor,
  type Digest,
  formatLocation,
  isNotFound,
  knownLocations,
  MoteError,
  type MoteReader,
  type Ref,
  rootsOf,
  takeInventory,
} from "@mote/core";
import type { Parts } from "../parts.js";
import { locationOf } from "../references/references.js";
import { isSilence } from "./registry-failure.js";

/** Maximum number of locations to try for a blob or manifest. */
const maxPlaces = 8;

/** Reads content by digest from where it was seen, or from the sources of images that contain it. Does not verify it. */
export class DigestSource implements ContentSource {
  readonly #digest: Digest;
  readonly #parts: Parts;
  readonly #opened = new Map<string, Promise<ContentSource>>();
  readonly #servedBy = new Map<Digest, Ref>();
  /** Registries that did not respond. They are not contacted again. */
  readonly #silent = new Map<string, MoteError>();
  #locationsOfNames: Promise<ReadonlyMap<Digest, readonly Ref[]>> | undefined;

  constructor(digest: Digest, parts: Parts) {
    this.#digest = digest;
    this.#parts = parts;
  }

  /** @throws MOTE_NOT_FOUND if no location is known */
  async resolve(_ref: Ref | string, options: Cancellable = {}): Promise<Descriptor> {
    return this.#first(this.#digest, options, (source) => source.resolve(this.#digest, options));
  }

  async manifest(descriptor: Descriptor, options: Cancellable = {}): Promise<Uint8Array> {
    return this.#first(descriptor.digest, options, (source) => source.manifest(descriptor, options));
  }

  async blob(descriptor: Descriptor, options: BlobOptions = {}): Promise<MoteReader> {
    return this.#first(descriptor.digest, options, (source) => source.blob(descriptor, options));
  }

  servedBy({ digest }: Descriptor): Ref | undefined {
    return this.#servedBy.get(digest);
  }

  async *referrers(descriptor: Descriptor, options: Cancellable = {}): AsyncGenerator<Descriptor, void, undefined> {
    for (const ref of await this.#locationsOf(descriptor.digest, options)) {
      const source = await this.#open(ref);
      if (source.referrers !== undefined) return yield* source.referrers(descriptor, options);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const opened of this.#opened.values()) {
      const source = await opened.catch(() => undefined);
      await source?.[Symbol.asyncDispose]?.();
    }
  }

  /** Returns the content from the first location that has it. */
  async #first<T>(digest: Digest, { signal }: Cancellable, read: (source: ContentSource) => Promise<T>): Promise<T> {
    const errors: unknown[] = [];
    const places = await this.#locationsOf(digest, { signal });
    for (const ref of places) {
      const registry = ref.transport === "docker" ? ref.registry : undefined;
      const silence = registry && this.#silent.get(registry);
      if (silence !== undefined) {
        errors.push(silence);
        continue;
      }
      try {
        const found = await read(await this.#open(ref));
        this.#servedBy.set(digest, ref);
        return found;
      } catch (error) {
        signal?.throwIfAborted();
        if (registry !== undefined && MoteError.isInstance(error) && isSilence(error))
          this.#silent.set(registry, error);
        errors.push(error);
      }
    }
    const failure = errors.find((error) => !isNotFound(error));
    if (failure !== undefined) throw failure;
    const { references, endpoints } = this.#parts;
    const asked = places.map((ref) => references.codec.format({ ...ref, digest })).join(", ");
    const nowhere = endpoints.offline ? "and --offline contacts no registry" : "and no other location of it is known";
    const where = asked === "" ? nowhere : `and is not found at ${asked}`;
    throw new MoteError("MOTE_NOT_FOUND", `${digest} is not in the cache, ${where}`, {
      cause: errors[0],
      details: { digest },
    });
  }

  #open(ref: Ref): Promise<ContentSource> {
    const key = formatLocation(ref);
    const opened = this.#opened.get(key) ?? this.#parts.endpoints.source(ref);
    this.#opened.set(key, opened);
    return opened;
  }

  /** Returns where it was seen, newest first, where the image that contains it was seen, and where that came from by its name. */
  async #locationsOf(digest: Digest, options: Cancellable): Promise<readonly Ref[]> {
    const { bic, references, endpoints } = this.#parts;
    const own = await knownLocations(bic, references.codec, digest, options);
    const whole = digest === this.#digest ? own : await knownLocations(bic, references.codec, this.#digest, options);
    this.#locationsOfNames ??= this.#readLocationsOfNames(options);
    const named = (await this.#locationsOfNames).get(digest) ?? (await this.#locationsOfNames).get(this.#digest) ?? [];
    const isAllowed = ({ transport }: Ref) => !endpoints.offline || transport !== "docker";
    const known = [...[...own.locations, ...whole.locations].map(({ ref }) => ref), ...named].filter(isAllowed);
    const places = known.map(locationOf);
    return [...new Map(places.map((ref) => [formatLocation(ref), ref])).values()].slice(0, maxPlaces);
  }

  /** Returns the registries of each digest, by the names of the cached images that contain it. */
  async #readLocationsOfNames(options: Cancellable): Promise<ReadonlyMap<Digest, readonly Ref[]>> {
    const places = new Map<Digest, Ref[]>();
    const { cache, references } = this.#parts;
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
}
