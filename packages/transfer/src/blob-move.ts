import {
  CacheError,
  type ContentDestination,
  type Descriptor,
  type Digest,
  detailOf,
  type FetchedFrom,
  hasCode,
  inFlightFetch,
  isManifestType,
  isMismatch,
  isNotFound,
  type MoteCache,
  MoteError,
  mediaTypes,
  NilCache,
  readingCache,
} from "@mote/core";
import { BlobFetch, type Fetched } from "./blob-fetch.js";
import { CachedChunks } from "./cached-chunks.js";
import type { Delivery } from "./events.js";
import type { PlannedBlob } from "./graph.js";
import type { Job } from "./job.js";
import type { Locations } from "./locations.js";
import { namedError } from "./named-error.js";
import { reportProgress } from "./progress.js";
import type { LayerRebuilding } from "./rebuild.js";
import { isResendable } from "./streamed-send.js";

/** How often a blob is sent if the destination loses it. */
const maxSends = 3;

/** Moves one blob into the cache and to the destination in the cheapest way. */
export class BlobMove {
  readonly #job: Job;
  readonly #locations: Locations;
  readonly #blob: PlannedBlob;
  readonly #digest: Digest;
  readonly #size: number;
  readonly #signal: AbortSignal;
  readonly #rebuilding: LayerRebuilding | undefined;
  #failedSends = 0;

  constructor(job: Job, locations: Locations, blob: PlannedBlob, rebuilding?: LayerRebuilding) {
    this.#job = job;
    this.#locations = locations;
    this.#blob = blob;
    this.#digest = blob.descriptor.digest;
    this.#size = blob.descriptor.size;
    this.#signal = job.signal;
    this.#rebuilding = rebuilding;
  }

  async run(): Promise<void> {
    const digest = this.#digest;
    const size = this.#size;
    this.#job.emit({ type: "start", digest, size, mediaType: this.#blob.descriptor.mediaType });
    try {
      const delivery = await this.#deliver();
      if (delivery !== "fetched" && delivery !== "hit") this.#job.tallies.add(delivery, digest, size);
      this.#job.emit({ type: "done", digest, size, delivery });
    } catch (error) {
      const { descriptor, from } = this.#blob;
      throw namedError(error, descriptor, isMismatch(error) ? from : undefined);
    }
  }

  async #deliver(): Promise<Delivery> {
    const { destination } = this.#job;
    if (await destination?.has(asBlob(this.#blob.descriptor), this.#callOptions())) return "skipped";
    if (destination?.mount !== undefined && (await this.#mount(destination))) return "mounted";
    if (await this.#isCached()) {
      const delivery = await this.#fromCache();
      if (delivery !== undefined) return delivery;
    }
    return this.#throughCache();
  }

  async #mount(destination: ContentDestination): Promise<boolean> {
    const candidates = await this.#locations.mountCandidates(this.#blob);
    if (candidates.length === 0) return false;
    try {
      if (!(await destination.mount?.(this.#blob.descriptor, candidates, this.#callOptions()))) {
        await this.#locations.removeUnmountable(this.#blob, candidates);
        return false;
      }
    } catch (error) {
      this.#signal.throwIfAborted();
      this.#job.warn(`cannot mount ${this.#digest}`, error, this.#digest);
      return false;
    }
    this.#locations.recordSent(this.#blob);
    this.#job.emit({ type: "mount", digest: this.#digest, size: this.#size });
    return true;
  }

  async #isCached(): Promise<boolean> {
    try {
      return await this.#job.cache.moteExists(this.#digest, { signal: this.#signal });
    } catch (error) {
      this.#signal.throwIfAborted();
      this.#job.warn(`cannot find ${this.#digest} in the cache`, error, this.#digest);
      return false;
    }
  }

  /**
   * Delivers the blob from the cache. Returns undefined if the cache cannot read it.
   * @param rebuilt if it was just rebuilt, the bytes that were fetched for that
   */
  async #fromCache(rebuilt?: { readonly fetchedBytes: number }): Promise<Delivery | undefined> {
    let isFilled = false;
    const delivery = await this.#unlessCacheFails(async () => {
      await this.#assertSize();
      isFilled = await this.#fill();
      if (!isFilled) this.#job.emit({ type: rebuilt ? "rebuild" : "hit", digest: this.#digest, size: this.#size });
      return this.#deliverCached();
    });
    if (delivery === undefined) {
      this.#job.emit({
        type: "retry",
        digest: this.#digest,
        size: this.#size,
        reason: "cannot read it from the cache",
      });
    } else {
      const bytes = Math.max(0, this.#size - (rebuilt?.fetchedBytes ?? 0));
      this.#job.tallies.add(isFilled ? "tier" : rebuilt ? "rebuilt" : "hit", this.#digest, bytes);
      this.#job.inCache.add(this.#digest);
    }
    return delivery;
  }

  /** Fetches the blob into the cache from a tier behind it. Returns whether that was needed. */
  async #fill(): Promise<boolean> {
    const { cache } = this.#job;
    if (cache.fill === undefined) return false;
    const onBytes = reportProgress(this.#job, this.#blob.descriptor);
    const { mediaType } = this.#blob.descriptor;
    const isFilled = await readingCache(cache.fill(this.#digest, { signal: this.#signal, onBytes, mediaType }));
    if (isFilled) this.#job.emit({ type: "fill", digest: this.#digest, size: this.#size });
    return isFilled;
  }

  async #unlessCacheFails(deliver: () => Promise<Delivery>): Promise<Delivery | undefined> {
    try {
      return await deliver();
    } catch (error) {
      this.#signal.throwIfAborted();
      if (!(error instanceof CacheError)) throw error;
      if (!isNotFound(error.cause)) {
        this.#job.warn(`cannot read ${this.#digest} from the cache; fetching it`, error.cause, this.#digest);
      }
      return undefined;
    }
  }

  async #deliverCached(): Promise<Delivery> {
    const { destination, cache } = this.#job;
    if (destination === undefined) {
      await this.#assertVerified();
      return "hit";
    }
    const target = this.#linkTarget(cache);
    if (target !== undefined && (await this.#link(target))) {
      // An archive links the blob only temporarily, and then copies its bytes.
      if (destination.ref?.transport.endsWith("-archive")) return "copied";
      this.#job.emit({ type: "link", digest: this.#digest, size: this.#size, target });
      return "linked";
    }
    for (;;) {
      await using reader = await readingCache(cache.moteReader(this.#digest, { signal: this.#signal }));
      const cached = new CachedChunks(reader, reportProgress(this.#job, this.#blob.descriptor));
      try {
        await this.#send(destination, cached);
        return "copied";
      } catch (error) {
        if (cached.error !== undefined || !isResendable(error)) throw cached.error ?? error;
      }
    }
  }

  /** Links the blob from the cache. Errors about the cached blob are errors of the cache, all others of the destination. */
  async #link(target: string): Promise<boolean> {
    try {
      return (await this.#job.cache.linkTo?.(this.#digest, target, { signal: this.#signal })) ?? false;
    } catch (error) {
      const isCacheError = hasCode(error, "MOTE_CORRUPT") || isNotFound(error) || this.#isAboutCachedFile(error);
      throw isCacheError ? CacheError.reading(error) : error;
    }
  }

  #isAboutCachedFile(error: unknown): boolean {
    return detailOf(error, "path") === this.#job.cache.moteRef(this.#digest);
  }

  #linkTarget(cache: MoteCache): string | undefined {
    return cache.linkTo === undefined ? undefined : this.#job.destination?.linkable?.(this.#blob.descriptor);
  }

  /** Verifies the blob, because without a destination it is not read now. */
  async #assertVerified(): Promise<void> {
    const isVerified = await readingCache(
      this.#job.cache.verifyMote?.(this.#digest, { signal: this.#signal }) ?? Promise.resolve(true),
    );
    if (!isVerified) throw CacheError.reading(new MoteError("MOTE_CORRUPT", `${this.#digest} is damaged`));
  }

  /** Compares the size in the cache with the descriptor. On a mismatch, reads the blob to find out which of them is wrong. */
  async #assertSize(): Promise<void> {
    const { cache } = this.#job;
    const info = await readingCache(cache.find(this.#digest, { signal: this.#signal }));
    if (info === undefined) throw CacheError.reading(new MoteError("MOTE_NOT_FOUND", `${this.#digest} was removed`));
    if (info.size === this.#size) return;
    await using reader = await readingCache(cache.moteReader(this.#digest, { reuse: true, signal: this.#signal }));
    let actual = 0;
    for await (const chunk of new CachedChunks(reader, () => {})) actual += chunk.byteLength;
    if (actual === this.#size) return;
    throw new MoteError("MOTE_SIZE_MISMATCH", `${this.#digest} has ${actual} bytes; the manifest says ${this.#size}`, {
      details: { digest: this.#digest, expected: this.#size, actual },
    });
  }

  /** Rebuilds or fetches the blob, or joins the fetch of another transfer. */
  async #throughCache(): Promise<Delivery> {
    const { cache } = this.#job;
    for (let rebuilding = this.#rebuilding; ; ) {
      const inFlight = inFlightFetch(cache, this.#digest);
      if (inFlight === undefined && rebuilding === undefined) return this.#fetch(cache);
      if (inFlight === undefined) {
        const fetchedBytes = await rebuilding?.run(this.#blob.descriptor, this.#signal);
        rebuilding = undefined;
        const delivery = fetchedBytes === undefined ? undefined : await this.#fromCache({ fetchedBytes });
        if (delivery !== undefined) return delivery;
        continue;
      }
      try {
        await inFlight.join(this.#signal);
      } catch {
        // The other transfer may have another source, or was aborted.
        this.#signal.throwIfAborted();
        continue;
      }
      const delivery = await this.#fromCache();
      if (delivery !== undefined) return delivery;
      return this.#bypassCache();
    }
  }

  /** Fetches a blob that the cache stored but cannot read. */
  #bypassCache(): Promise<Delivery> {
    return this.#fetch(this.#job.destination === undefined ? this.#job.cache : new NilCache());
  }

  async #fetch(cache: MoteCache): Promise<Delivery> {
    const { destination } = this.#job;
    const isFed = destination !== undefined && this.#linkTarget(cache) === undefined;
    const fetch = new BlobFetch(this.#job, this.#locations, this.#blob, this.#signal);
    let fetched: Fetched;
    try {
      fetched = await fetch.run(cache, isFed ? (chunks) => this.#send(destination, chunks) : undefined);
    } catch (error) {
      this.#signal.throwIfAborted();
      if (error instanceof CacheError) return this.#withoutCache(error);
      throw error;
    }
    if (fetched.from === undefined) return (await this.#fromCache()) ?? this.#bypassCache();
    this.#count(fetched.from);
    if (cache === this.#job.cache) this.#job.inCache.add(this.#digest);
    if (fetched.wasSent) return "copied";
    if (destination === undefined) return "fetched";
    return (await this.#unlessCacheFails(() => this.#deliverCached())) ?? this.#bypassCache();
  }

  /** Counts resumed and inlined bytes. Bytes from a source are already counted. */
  #count({ offset, isLocal }: FetchedFrom): void {
    const { tallies, received } = this.#job;
    if (offset > 0) tallies.add("resumed", this.#digest, offset);
    if (this.#size === 0) tallies.add("fetched", this.#digest, 0);
    else if (isLocal && !received.has(this.#digest)) tallies.add("inlined", this.#digest, this.#size - offset);
  }

  /** Fetches to the destination only, after the cache could not be written. */
  async #withoutCache(error: CacheError): Promise<Delivery> {
    const digest = this.#digest;
    if (this.#job.destination === undefined) throw error.cause;
    this.#job.warn(`cannot write ${digest} to the cache; sending it only to the destination`, error.cause, digest);
    this.#job.emit({ type: "retry", digest, size: this.#size, reason: "cannot write it to the cache" });
    return this.#fetch(new NilCache());
  }

  #callOptions() {
    return this.#job.callOptions({ signal: this.#signal, blob: this.#blob.descriptor });
  }

  async #send(destination: ContentDestination, chunks: AsyncIterable<Uint8Array>): Promise<void> {
    try {
      await destination.blob(this.#blob.descriptor, chunks, this.#callOptions());
    } catch (error) {
      if (!isResendable(error)) throw error;
      this.#failedSends += 1;
      if (this.#failedSends === maxSends) throw lostRepeatedly(error);
      this.#job.emit({
        type: "retry",
        digest: this.#digest,
        size: this.#size,
        reason: "the destination lost it",
      });
      throw error;
    }
    this.#locations.recordSent(this.#blob);
  }
}

/** A layer may have the media type of a manifest, but a registry keeps it among the blobs. */
function asBlob(descriptor: Descriptor): Descriptor {
  return isManifestType(descriptor.mediaType) ? { ...descriptor, mediaType: mediaTypes.octetStream } : descriptor;
}

function lostRepeatedly(error: MoteError): MoteError {
  const message = `the destination lost the blob ${maxSends} times: ${error.message}; retry later or contact the registry's operator`;
  return new MoteError("MOTE_REGISTRY", message, {
    cause: error,
    ...(error.details ? { details: error.details } : {}),
  });
}
