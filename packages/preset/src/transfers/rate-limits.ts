import type { ContentDestination, ContentSource, MoteReader, MoteSource, Ref } from "@mote/core";
import { overriding } from "../overriding.js";
import { RateLimit } from "./rate-limit.js";

/** In bytes per second: one limit for all that is read and another for all that is sent to registries, or those of some registries. */
export type MaxRate = number | Readonly<Record<string, number>>;

/** The limits of a run. */
export class RateLimits {
  readonly #reads: RateLimit | undefined;
  readonly #sends: RateLimit | undefined;
  readonly #registries: ReadonlyMap<string, RateLimit>;

  constructor(maxRate: MaxRate | undefined) {
    this.#reads = typeof maxRate === "number" ? new RateLimit(maxRate) : undefined;
    this.#sends = typeof maxRate === "number" ? new RateLimit(maxRate) : undefined;
    const byRegistry = typeof maxRate === "object" ? Object.entries(maxRate) : [];
    this.#registries = new Map(byRegistry.map(([registry, rate]) => [registry, new RateLimit(rate)]));
  }

  ofSource(ref: Ref | undefined): RateLimit | undefined {
    return this.#reads ?? this.#ofRegistry(ref);
  }

  /** An upstream has a name, and the registry where it is reached. */
  ofUpstream(name: string, ref: Ref | undefined): RateLimit | undefined {
    return this.ofSource(ref) ?? this.#registries.get(name);
  }

  /** Returns undefined for a local destination. */
  ofDestination(ref: Ref | undefined): RateLimit | undefined {
    return ref?.transport === "docker" ? (this.#sends ?? this.#ofRegistry(ref)) : undefined;
  }

  #ofRegistry(ref: Ref | undefined): RateLimit | undefined {
    return ref?.transport === "docker" ? this.#registries.get(ref.registry) : undefined;
  }
}

/** Returns the source with its blobs read at most at the rate. */
export function limitedSource(source: ContentSource, rate: RateLimit | undefined): ContentSource {
  if (rate === undefined) return source;
  return overriding(source, {
    blob: async (descriptor, options) => slowed(await source.blob(descriptor, options), rate, options?.signal),
  });
}

type BlobReads = Pick<MoteSource, "find" | "moteReader">;

/** Returns the blobs with their readers limited to the rate. */
export function limitedReads(blobs: BlobReads, rate: RateLimit | undefined): BlobReads {
  if (rate === undefined) return blobs;
  return overriding(blobs, {
    moteReader: async (digest, options) => slowed(await blobs.moteReader(digest, options), rate, options?.signal),
  });
}

/** Returns the destination with blobs sent to it at most at its rate. */
export function limitedSends(destination: ContentDestination, rates: RateLimits): ContentDestination {
  const rate = rates.ofDestination(destination.ref);
  if (rate === undefined) return destination;
  return overriding(destination, {
    blob: (descriptor, chunks, options) =>
      destination.blob(descriptor, slowedChunks(chunks, rate, descriptor.digest, options?.signal), options),
  });
}

function slowed(reader: MoteReader, rate: RateLimit, signal: AbortSignal | undefined): MoteReader {
  // Not a proxy: the bytes of a `BytesReader` are taken at once.
  return {
    info: reader.info,
    close: () => reader.close(),
    [Symbol.asyncDispose]: () => reader[Symbol.asyncDispose](),
    [Symbol.asyncIterator]: () => slowedChunks(reader, rate, reader.info.digest, signal),
  };
}

async function* slowedChunks(
  chunks: AsyncIterable<Uint8Array>,
  rate: RateLimit,
  blob: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    await rate.take(chunk.byteLength, signal, blob);
    yield chunk;
  }
}
