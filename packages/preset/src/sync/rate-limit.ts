import { setTimeout as wait } from "node:timers/promises";
import type { ContentDestination, ContentSource, MoteReader, Ref } from "@mote/core";

/** Limits the bytes per second that several readers read together. */
export class RateLimit {
  readonly #bytesPerSecond: number;
  /** When the bytes taken so far are paid for, in milliseconds of `performance.now`. */
  #dueMs = 0;

  constructor(bytesPerSecond: number) {
    if (!(bytesPerSecond > 0)) throw new TypeError("a rate is a number of bytes per second above 0");
    this.#bytesPerSecond = bytesPerSecond;
  }

  /** Resolves when these bytes may be taken. */
  async take(bytes: number, signal: AbortSignal | undefined): Promise<void> {
    const nowMs = performance.now();
    this.#dueMs = Math.max(this.#dueMs, nowMs) + (bytes / this.#bytesPerSecond) * 1000;
    if (this.#dueMs - nowMs < 1) return;
    await wait(this.#dueMs - nowMs, undefined, { signal }).catch(() => signal?.throwIfAborted());
  }
}

/** The limits of a run: one for all sources together, or those of some registries. */
export class RateLimits {
  readonly #reads: RateLimit | undefined;
  readonly #registries: ReadonlyMap<string, RateLimit>;

  /** @param maxRate in bytes per second */
  constructor(maxRate: number | Readonly<Record<string, number>> | undefined) {
    this.#reads = typeof maxRate === "number" ? new RateLimit(maxRate) : undefined;
    const byRegistry = typeof maxRate === "object" ? Object.entries(maxRate) : [];
    this.#registries = new Map(byRegistry.map(([registry, rate]) => [registry, new RateLimit(rate)]));
  }

  ofSource(ref: Ref | undefined): RateLimit | undefined {
    return this.#reads ?? this.ofDestination(ref);
  }

  ofDestination(ref: Ref | undefined): RateLimit | undefined {
    return ref?.transport === "docker" ? this.#registries.get(ref.registry) : undefined;
  }
}

/** Returns the source with its blobs read at most at its rate. */
export function limitedSource(source: ContentSource, rates: RateLimits): ContentSource {
  const rate = rates.ofSource(source.ref);
  if (rate === undefined) return source;
  return {
    ...source,
    async blob(descriptor, options) {
      return slowed(await source.blob(descriptor, options), rate, options?.signal);
    },
  };
}

/** Returns the destination with blobs sent to it at most at its rate. */
export function limitedSends(destination: ContentDestination, rates: RateLimits): ContentDestination {
  const rate = rates.ofDestination(destination.ref);
  if (rate === undefined) return destination;
  return {
    ...destination,
    blob: (descriptor, chunks, options) =>
      destination.blob(descriptor, slowedChunks(chunks, rate, options?.signal), options),
  };
}

function slowed(reader: MoteReader, rate: RateLimit, signal: AbortSignal | undefined): MoteReader {
  return {
    info: reader.info,
    close: () => reader.close(),
    [Symbol.asyncDispose]: () => reader[Symbol.asyncDispose](),
    [Symbol.asyncIterator]: () => slowedChunks(reader, rate, signal),
  };
}

async function* slowedChunks(
  chunks: AsyncIterable<Uint8Array>,
  rate: RateLimit,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    await rate.take(chunk.byteLength, signal);
    yield chunk;
  }
}
