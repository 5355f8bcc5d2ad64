import {
  type ContentDestination,
  type Descriptor,
  type MoteCache,
  MoteError,
  type MoteErrorCode,
  type MoteReader,
  NilCache,
} from "@mote/core";
import type { Delivery } from "./events.js";
import { Feed } from "./feed.js";
import { CacheFault, fetchIntoCache, isMismatch } from "./fetch-into-cache.js";
import { beginFlight, flightOf } from "./flight.js";
import type { Job } from "./job.js";
import type { Locations } from "./locations.js";
import { progressOf } from "./progress.js";

/** Brings blobs into the cache and on to the destination, each by the cheapest way there is. */
export class BlobMover {
  readonly #job: Job;
  readonly #locations: Locations;

  constructor(job: Job, locations: Locations) {
    this.#job = job;
    this.#locations = locations;
  }

  async move(descriptor: Descriptor): Promise<void> {
    const { digest, size, mediaType } = descriptor;
    this.#job.emit({ type: "start", digest, size, mediaType });
    try {
      const delivery = await this.#deliver(descriptor);
      if (delivery !== "fetched" && delivery !== "hit") this.#job.tallies.add(delivery, size);
      this.#job.emit({ type: "done", digest, size, delivery });
    } catch (error) {
      throw namingDigest(error, descriptor);
    }
  }

  async #deliver(descriptor: Descriptor): Promise<Delivery> {
    const { destination, signal } = this.#job;
    if (await destination?.has(descriptor, { signal })) return "skipped";
    if (destination?.mount !== undefined && (await this.#mount(destination, descriptor))) return "mounted";
    if (await this.#isCached(descriptor)) {
      const delivery = await this.#fromCache(descriptor);
      if (delivery !== undefined) return delivery;
    }
    return this.#throughCache(descriptor);
  }

  async #mount(destination: ContentDestination, descriptor: Descriptor): Promise<boolean> {
    const { signal } = this.#job;
    const candidates = await this.#locations.candidates(descriptor);
    if (candidates.length === 0) return false;
    try {
      if (!(await destination.mount?.(descriptor, candidates, { signal }))) return false;
    } catch (error) {
      signal.throwIfAborted();
      this.#job.warn(`${descriptor.digest} cannot be mounted`, error, descriptor.digest);
      return false;
    }
    await this.#locations.record(descriptor, destination.ref);
    this.#job.emit({ type: "mount", digest: descriptor.digest, size: descriptor.size });
    return true;
  }

  async #isCached({ digest }: Descriptor): Promise<boolean> {
    const { cache, destination, signal } = this.#job;
    try {
      return await cache.moteExists(digest, { signal });
    } catch (error) {
      signal.throwIfAborted();
      if (destination === undefined) throw error;
      this.#job.warn(`the cache cannot tell whether it has ${digest}`, error, digest);
      return false;
    }
  }

  /** Undefined where the cache does not have it after all, or not whole. */
  async #fromCache(descriptor: Descriptor): Promise<Delivery | undefined> {
    const { digest, size } = descriptor;
    const { tallies } = this.#job;
    try {
      await this.#assertSize(descriptor);
      this.#job.emit({ type: "hit", digest, size });
      const delivery = await this.#deliverCached(descriptor);
      tallies.add("hit", size);
      return delivery;
    } catch (error) {
      this.#job.signal.throwIfAborted();
      if (!(error instanceof CacheFault)) throw error;
      if (!hasCode(error.cause, "MOTE_NOT_FOUND")) {
        this.#job.warn(`the cache cannot give ${digest}, so it is fetched`, error.cause, digest);
      }
      this.#job.emit({ type: "retry", digest, size, reason: "the cache cannot give it" });
      return undefined;
    }
  }

  async #deliverCached(descriptor: Descriptor): Promise<Delivery> {
    const { destination, cache, signal } = this.#job;
    const { digest, size } = descriptor;
    if (destination === undefined) return "hit";
    const target = this.#linkTarget(descriptor, cache);
    if (target !== undefined && (await this.#link(descriptor, target))) {
      this.#job.emit({ type: "link", digest, size, target });
      return "linked";
    }
    await using reader = await fromCacheSide(cache.moteReader(digest, { signal }));
    const cached = new CachedChunks(reader, progressOf(this.#job, descriptor));
    try {
      await this.#send(destination, descriptor, cached);
    } catch (error) {
      throw cached.fault ?? error;
    }
    return "copied";
  }

  /** The cache verifies what it links, so damage shows here; other failures are those of the destination's file system. */
  async #link({ digest }: Descriptor, target: string): Promise<boolean> {
    const { cache, signal } = this.#job;
    try {
      return (await cache.linkTo?.(digest, target, { signal })) ?? false;
    } catch (error) {
      if (hasCode(error, "MOTE_CORRUPT") || hasCode(error, "MOTE_NOT_FOUND")) throw cacheFault(error);
      throw error;
    }
  }

  #linkTarget(descriptor: Descriptor, cache: MoteCache): string | undefined {
    return cache.linkTo === undefined ? undefined : this.#job.destination?.linkable?.(descriptor);
  }

  /** A kept mote of another size is damaged, or its descriptor lies: reading it to the end tells which. */
  async #assertSize({ digest, size }: Descriptor): Promise<void> {
    const { cache, signal } = this.#job;
    const info = await fromCacheSide(cache.find(digest, { signal }));
    if (info === undefined) throw cacheFault(new MoteError("MOTE_NOT_FOUND", `${digest} is not in the cache`));
    if (info.size === size) return;
    await using reader = await fromCacheSide(cache.moteReader(digest, { signal }));
    let actual = 0;
    for await (const chunk of new CachedChunks(reader, () => {})) actual += chunk.byteLength;
    if (actual === size) return;
    throw new MoteError("MOTE_SIZE_MISMATCH", `${digest} has ${actual} bytes; the manifest says ${size}`, {
      details: { digest, expected: size, actual },
    });
  }

  /** Fetched here, or by another transfer that shares the cache. */
  async #throughCache(descriptor: Descriptor): Promise<Delivery> {
    const { cache, destination, signal } = this.#job;
    for (;;) {
      const flight = flightOf(cache, descriptor.digest);
      if (flight === undefined) return this.#fetch(descriptor, cache);
      try {
        await flight.join(signal);
      } catch {
        // What went wrong there may be the other's source, or his cancelling.
        signal.throwIfAborted();
        continue;
      }
      const delivery = await this.#fromCache(descriptor);
      if (delivery !== undefined) return delivery;
      return this.#fetch(descriptor, destination === undefined ? cache : new NilCache());
    }
  }

  async #fetch(descriptor: Descriptor, cache: MoteCache): Promise<Delivery> {
    const { destination, signal, tallies } = this.#job;
    const linked = this.#linkTarget(descriptor, cache) !== undefined;
    const leave = new AbortController();
    let sending: Sending | undefined;
    let fetchedBytes = 0;
    const begin = (offset: number): Feed | undefined => {
      // What is resumed begins in the middle; the destination gets it from the cache afterwards.
      if (destination === undefined || linked || offset > 0) return undefined;
      sending = new Sending((chunks) => this.#send(destination, descriptor, chunks), leave);
      return sending.feed;
    };
    const flight = beginFlight(cache, descriptor.digest, async (flightSignal) => {
      fetchedBytes = await this.#fetchOnceOrTwice(descriptor, cache, begin, flightSignal);
    });
    try {
      await flight.join(AbortSignal.any([signal, leave.signal]));
    } catch (error) {
      await sending?.fail(error);
      signal.throwIfAborted();
      if (error instanceof CacheFault) return this.#withoutCache(descriptor, error);
      throw error;
    }
    if (fetchedBytes > 0 || descriptor.size === 0) tallies.add("fetched", fetchedBytes);
    await this.#locations.record(descriptor, this.#job.source.ref);
    await sending?.delivered();
    if (sending !== undefined) return "copied";
    if (destination === undefined) return "fetched";
    return (await this.#afterFetch(descriptor)) ?? this.#fetch(descriptor, new NilCache());
  }

  /** A part of an earlier attempt that was damaged meanwhile shows in the digest; then all of it comes anew. */
  async #fetchOnceOrTwice(
    descriptor: Descriptor,
    cache: MoteCache,
    begin: (offset: number) => Feed | undefined,
    signal: AbortSignal,
  ): Promise<number> {
    const { digest, size } = descriptor;
    const { source } = this.#job;
    let resumedAt = 0;
    const fetch = () =>
      fetchIntoCache({
        source,
        cache,
        descriptor,
        signal,
        begin: (offset) => {
          resumedAt = offset;
          if (offset > 0) this.#job.emit({ type: "resume", digest, size, offset });
          return begin(offset);
        },
        onBytes: progressOf(this.#job, descriptor),
      });
    try {
      return await fetch();
    } catch (error) {
      if (!isMismatch(error) || resumedAt === 0) throw error;
      this.#job.emit({ type: "retry", digest, size, reason: "what was left of an earlier attempt is damaged" });
      return fetch();
    }
  }

  /** Like any delivery from the cache, but that it was no hit. */
  async #afterFetch(descriptor: Descriptor): Promise<Delivery | undefined> {
    try {
      return await this.#deliverCached(descriptor);
    } catch (error) {
      this.#job.signal.throwIfAborted();
      if (!(error instanceof CacheFault)) throw error;
      this.#job.warn(`the cache cannot give ${descriptor.digest}, so it is fetched`, error.cause, descriptor.digest);
      return undefined;
    }
  }

  /** A cache that cannot be written never breaks a read, where there is somewhere else to read to. */
  async #withoutCache(descriptor: Descriptor, fault: CacheFault): Promise<Delivery> {
    const { destination } = this.#job;
    const { digest, size } = descriptor;
    if (destination === undefined) throw fault.cause;
    this.#job.warn(`${digest} goes to the destination past the cache, which cannot be written`, fault.cause, digest);
    this.#job.emit({ type: "retry", digest, size, reason: "the cache cannot be written" });
    return this.#fetch(descriptor, new NilCache());
  }

  async #send(
    destination: ContentDestination,
    descriptor: Descriptor,
    chunks: AsyncIterable<Uint8Array>,
  ): Promise<void> {
    await destination.blob(descriptor, chunks, { signal: this.#job.signal });
    await this.#locations.record(descriptor, destination.ref);
  }
}

/** A destination being fed. If it fails by itself, the fetch is left: there is nothing to wait for. */
class Sending {
  readonly feed = new Feed();
  readonly #ending: Promise<void>;

  constructor(send: (chunks: AsyncIterable<Uint8Array>) => Promise<void>, leave: AbortController) {
    this.#ending = send(this.feed).finally(() => this.feed.leave());
    this.#ending.catch((error: unknown) => {
      if (!this.feed.hasFailed) leave.abort(error);
    });
  }

  delivered(): Promise<void> {
    return this.#ending;
  }

  /** Resolves when the destination has cleaned up. */
  async fail(error: unknown): Promise<void> {
    this.feed.fail(error);
    await this.#ending.catch(() => {});
  }
}

/** A kept mote's bytes, and whether it was their cache that failed: a destination may throw an error of its own for it. */
class CachedChunks implements AsyncIterable<Uint8Array> {
  fault: CacheFault | undefined;
  readonly #reader: MoteReader;
  readonly #onBytes: (bytes: number) => void;

  constructor(reader: MoteReader, onBytes: (bytes: number) => void) {
    this.#reader = reader;
    this.#onBytes = onBytes;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    let bytes = 0;
    const chunks = this.#reader[Symbol.asyncIterator]();
    for (;;) {
      const next = await chunks.next().catch((error: unknown) => {
        this.fault = cacheFault(error);
        throw this.fault;
      });
      if (next.done) return;
      bytes += next.value.byteLength;
      this.#onBytes(bytes);
      yield next.value;
    }
  }
}

/** Tells a failure of the cache from one of the destination that reads from it. */
async function fromCacheSide<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw cacheFault(error);
  }
}

function cacheFault(cause: unknown): CacheFault {
  return new CacheFault("the cache cannot be read", { cause });
}

function hasCode(error: unknown, code: MoteErrorCode): boolean {
  return MoteError.isInstance(error) && error.code === code;
}

function namingDigest(error: unknown, { digest }: Descriptor): unknown {
  if (!MoteError.isInstance(error) || (error.details !== undefined && "digest" in error.details)) return error;
  return new MoteError(error.code, error.message, { cause: error, details: { ...error.details, digest } });
}
