import {
  type BlobOptions,
  type ContentSource,
  type Descriptor,
  type Digest,
  MoteError,
  type MoteReader,
  parseDigest,
  type Ref,
  type RegistryRef,
  type ResolveOptions,
  type Tag,
  type TimeLimited,
} from "@mote/core";
import type { RegistryClient } from "../client.js";
import type { ReferrersOptions } from "../pull/referrers.js";
import type { RegistryRepository } from "../pull/repository.js";
import type { RequestOptions } from "../reports/registry-event.js";
import { type RepositoryLocation, repositoryLocation } from "../repository-location.js";
import { type EndpointReader, MirroredReader } from "./mirrored-reader.js";
import type { MirrorEndpoint } from "./mirrors.js";
import { type ReadEndpoint, ReadEndpoints } from "./read-endpoints.js";

/**
 * A repository that is read from its mirrors, in their order, and from its own registry at last. It goes by its own name, and each
 * place is shown the credentials that are kept for that place.
 *
 * A mirror may say what a tag stands for. All bytes are verified by digest, wherever they come from. A mirror that does not have
 * something is passed over for that; one that fails in any other way, for everything from then on. What refers to a manifest
 * only the registry itself knows for sure: mirrors are asked for that where it cannot be reached.
 */
export class MirroredRepository implements ContentSource {
  readonly ref: RegistryRef;
  readonly #places: ReadEndpoints;
  /** The manifests that came when names were resolved: as a rule they are asked for next. */
  readonly #resolved = new Map<Digest, Uint8Array>();
  /** Where the bytes of each blob came from, the last time it was read. */
  readonly #givers = new Map<Digest, Set<ReadEndpoint>>();

  /** @throws MOTE_INVALID_REFERENCE */
  constructor(client: RegistryClient, place: RepositoryLocation, mirrors: readonly MirrorEndpoint[]) {
    this.ref = repositoryLocation(place);
    this.#places = new ReadEndpoints(client, place, mirrors);
  }

  /** As of `RegistryRepository`, and so are the others. */
  async resolve(ref: Ref | string, options: ResolveOptions & RequestOptions = {}): Promise<Descriptor> {
    const reference = this.#places.origin.repository.referenceOf(ref);
    return this.#places.first(async ({ repository, isOrigin }, withinMs) => {
      if (isOrigin) return repository.resolve(reference, { ...options, withinMs });
      // What a mirror says of a name counts only together with the manifest itself.
      const { descriptor, bytes } = await repository.load(reference, { ...options, withinMs });
      this.#resolved.set(descriptor.digest, bytes);
      return descriptor;
    }, options);
  }

  async manifest(descriptor: Descriptor, options: TimeLimited & RequestOptions = {}): Promise<Uint8Array> {
    const bytes = this.#resolved.get(descriptor.digest);
    if (bytes?.byteLength === descriptor.size) return bytes;
    return this.#places.first(
      ({ repository }, withinMs) => repository.manifest(descriptor, { ...options, withinMs }),
      options,
    );
  }

  /** Goes on at the next place, at the very byte, where one fails. */
  async blob(descriptor: Descriptor, options: BlobOptions & RequestOptions = {}): Promise<MoteReader> {
    const { start = 0, verifyOnRead = true, reuse, signal, onEvent } = options;
    const digest = parseDigest(descriptor.digest);
    const givers = new Set<ReadEndpoint>();
    this.#givers.set(digest, givers);
    const among = this.#places.inOrder();
    const openAt = (position: number): Promise<EndpointReader> =>
      this.#places.first(
        async (place) => {
          const reader = await place.repository.blob(descriptor, {
            start: position,
            verifyOnRead: false,
            reuse,
            signal,
            onEvent,
          });
          givers.add(place);
          return { reader, failed: (error) => this.#places.passOver(place, error) };
        },
        { signal, among },
      );
    const first = await openAt(start);
    const reading = { start, verify: verifyOnRead, signal, openAt, onCorruption: () => this.distrust(descriptor) };
    return new MirroredReader(reading, first);
  }

  readFrom({ digest }: Descriptor): Ref | undefined {
    const [place, ...others] = this.#givers.get(digest) ?? [];
    return others.length === 0 ? place?.repository.ref : undefined;
  }

  distrust(descriptor: Descriptor): boolean {
    const { digest } = descriptor;
    const givers = [...(this.#givers.get(digest) ?? [])];
    const mirrors = givers.filter(({ isOrigin }) => !isOrigin);
    if (mirrors.length === 0) return givers.some(({ repository }) => repository.distrust(descriptor));
    const fault = new MoteError("MOTE_DIGEST_MISMATCH", `what came as ${digest} hashes to something else`);
    for (const place of mirrors) this.#places.passOver(place, fault);
    return mirrors.length > 0;
  }

  referrers(descriptor: Descriptor, options: ReferrersOptions = {}): AsyncIterable<Descriptor> {
    return this.#fromOrigin((repository) => repository.referrers(descriptor, options), options);
  }

  taggedReferrers(descriptor: Descriptor, options: RequestOptions = {}): AsyncIterable<Tag> {
    return this.#fromOrigin((repository) => repository.taggedReferrers(descriptor, options), options);
  }

  async *#fromOrigin<T>(
    list: (repository: RegistryRepository) => AsyncIterable<T>,
    options: RequestOptions,
  ): AsyncGenerator<T, void, undefined> {
    const { origin, mirrors } = this.#places;
    let failure: unknown;
    for (const { repository } of [origin, ...mirrors]) {
      let listed = 0;
      try {
        for await (const one of list(repository)) {
          listed += 1;
          yield one;
        }
        return;
      } catch (error) {
        options.signal?.throwIfAborted();
        if (listed > 0 || (failure === undefined && !isSilence(error))) throw error;
        failure ??= error;
      }
    }
    throw failure;
  }
}

function isSilence(error: unknown): boolean {
  return MoteError.isInstance(error) && (error.code === "MOTE_UNREACHABLE" || error.code === "MOTE_TIMEOUT");
}
