import {
  type BlobOptions,
  BytesReader,
  type CallOptions,
  type ContentSource,
  type Descriptor,
  type Digest,
  hasCode,
  MoteError,
  type MoteReader,
  parseDigest,
  type Ref,
  type ReferrerSummary,
  type RegistryRef,
  type ResolveOptions,
  type Tag,
  type TimeLimited,
} from "@mote/core";
import type { RegistryClient } from "../client.js";
import type { ReferrersOptions } from "../pull/referrers.js";
import type { RegistryRepository } from "../pull/repository.js";
import type { RepositoryApiOptions } from "../repository-api.js";
import { type RepositoryLocation, repositoryLocation } from "../repository-location.js";
import { type EndpointReader, MirroredReader } from "./mirrored-reader.js";
import type { MirrorEndpoint } from "./mirrors.js";
import { type ReadEndpoint, ReadEndpoints } from "./read-endpoints.js";

/**
 * A repository read from its mirrors in order, then from its registry, under its own name. Each endpoint gets only its own
 * credentials; a mirror that fails is not used again. Referrers come from the registry; from mirrors only if it is unreachable.
 */
export class MirroredRepository implements ContentSource {
  readonly ref: RegistryRef;
  readonly servesRanges = true;
  readonly #endpoints: ReadEndpoints;
  /** Manifests received while resolving names: usually requested next. */
  readonly #resolved = new Map<Digest, Uint8Array>();
  /** The endpoint that last served each blob. */
  readonly #servedBy = new Map<Digest, Set<ReadEndpoint>>();

  /** @throws MOTE_INVALID_REFERENCE */
  constructor(
    client: RegistryClient,
    location: RepositoryLocation,
    mirrors: readonly MirrorEndpoint[],
    options: Pick<RepositoryApiOptions, "traffic" | "policy"> = {},
  ) {
    this.ref = repositoryLocation(location);
    this.#endpoints = new ReadEndpoints(client, location, mirrors, options);
  }

  /** As in `RegistryRepository`, like the other methods. */
  async resolve(ref: Ref | string, options: ResolveOptions = {}): Promise<Descriptor> {
    const reference = this.#endpoints.origin.repository.referenceOf(ref);
    return this.#endpoints.first(async ({ repository, isOrigin }, timeoutMs) => {
      if (isOrigin) return repository.resolve(reference, { ...options, timeoutMs });
      // A mirror's digest for a name is used only with the manifest itself.
      const { descriptor, bytes } = await repository.load(reference, { ...options, timeoutMs });
      this.#resolved.set(descriptor.digest, bytes);
      return descriptor;
    }, options);
  }

  async manifest(descriptor: Descriptor, options: TimeLimited = {}): Promise<Uint8Array> {
    const bytes = this.#resolved.get(descriptor.digest);
    if (bytes?.byteLength === descriptor.size) return bytes;
    return this.#endpoints.first(
      ({ repository }, timeoutMs) => repository.manifest(descriptor, { ...options, timeoutMs }),
      options,
    );
  }

  /** Continues at the next endpoint, at the same byte, after an error. */
  async blob(descriptor: Descriptor, options: BlobOptions = {}): Promise<MoteReader> {
    const { start = 0, end, ranges, verifyOnRead = true, reuse, signal, onEvent } = options;
    const digest = parseDigest(descriptor.digest);
    const isFurtherRange = ranges?.hasResponse === true;
    const servedBy = (isFurtherRange ? this.#servedBy.get(digest) : undefined) ?? new Set<ReadEndpoint>();
    this.#servedBy.set(digest, servedBy);
    const among = this.#endpoints.inOrder();
    const openAt = (position: number): Promise<EndpointReader> =>
      this.#endpoints.first(
        async (endpoint) => {
          const reader = await endpoint.repository.blob(descriptor, {
            start: position,
            ...{ end, ranges },
            verifyOnRead: false,
            reuse,
            signal,
            onEvent,
          });
          servedBy.add(endpoint);
          return { reader, failed: (error) => this.#endpoints.passOver(endpoint, error) };
        },
        { signal, among },
      );
    const first = await openAt(start);
    if (!verifyOnRead && first.reader instanceof BytesReader) return first.reader;
    const reading = {
      start,
      verify: verifyOnRead,
      signal,
      openAt,
      onCorruption: () => this.reportCorruption(descriptor),
    };
    return new MirroredReader(reading, first);
  }

  servedBy({ digest }: Descriptor): Ref | undefined {
    const [endpoint, ...others] = this.#servedBy.get(digest) ?? [];
    return others.length === 0 ? endpoint?.repository.ref : undefined;
  }

  reportCorruption(descriptor: Descriptor): boolean {
    const { digest } = descriptor;
    const servedBy = [...(this.#servedBy.get(digest) ?? [])];
    const mirrors = servedBy.filter(({ isOrigin }) => !isOrigin);
    if (mirrors.length === 0) return servedBy.some(({ repository }) => repository.reportCorruption(descriptor));
    const error = new MoteError("MOTE_DIGEST_MISMATCH", `the bytes of ${digest} hash to another digest`);
    for (const endpoint of mirrors) this.#endpoints.passOver(endpoint, error);
    return mirrors.length > 0;
  }

  referrers(descriptor: Descriptor, options: ReferrersOptions = {}): AsyncIterable<Descriptor> {
    return this.#fromOrigin((repository) => repository.referrers(descriptor, options), options);
  }

  taggedReferrers(descriptor: Descriptor, options: CallOptions = {}): AsyncIterable<Tag> {
    return this.#fromOrigin((repository) => repository.taggedReferrers(descriptor, options), options);
  }

  async summarizeReferrers(descriptor: Descriptor, options: CallOptions = {}): Promise<ReferrerSummary> {
    const summaries = this.#fromOrigin(async function* (repository) {
      yield await repository.summarizeReferrers(descriptor, options);
    }, options);
    for await (const summary of summaries) return summary;
    return { referrers: [], tags: [] };
  }

  async *#fromOrigin<T>(
    list: (repository: RegistryRepository) => AsyncIterable<T>,
    options: CallOptions,
  ): AsyncGenerator<T, void, undefined> {
    const { origin, mirrors } = this.#endpoints;
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
        if (listed > 0 || (failure === undefined && !hasCode(error, "MOTE_UNREACHABLE", "MOTE_TIMEOUT"))) throw error;
        failure ??= error;
      }
    }
    throw failure;
  }
}
