import {
  CacheError,
  type ContentSource,
  type Digest,
  type FetchedFrom,
  fetchIntoCache,
  isMismatch,
  isTruncated,
  type MoteCache,
  type Ref,
  startFetch,
} from "@mote/core";
import type { Feed } from "./feed.js";
import type { PlannedBlob } from "./graph.js";
import type { Job } from "./job.js";
import type { Locations } from "./locations.js";
import { reportProgress } from "./progress.js";
import { StreamedSend } from "./streamed-send.js";

export interface Fetched {
  /** Where the bytes came from; undefined if another process fetched the blob. */
  readonly from: FetchedFrom | undefined;
  /** Whether the blob was sent to the destination during the fetch. */
  readonly wasSent: boolean;
}

/** Fetches one blob into a cache. Other transfers may join the fetch. */
export class BlobFetch {
  readonly #job: Job;
  readonly #locations: Locations;
  readonly #blob: PlannedBlob;
  readonly #signal: AbortSignal;
  /** Whether a fallback was used, so that the source is not known to have the complete blob. */
  #usedFallback = false;
  /** Whether the source sent wrong bytes, so that only fallbacks are used. */
  #isSourceWrong = false;

  constructor(job: Job, locations: Locations, blob: PlannedBlob, signal: AbortSignal) {
    this.#job = job;
    this.#locations = locations;
    this.#blob = blob;
    this.#signal = signal;
  }

  /** @param send sends the blob to the destination during the fetch, unless the fetch is resumed in the middle */
  async run(
    cache: MoteCache,
    send: ((chunks: AsyncIterable<Uint8Array>) => Promise<void>) | undefined,
  ): Promise<Fetched> {
    const abandon = new AbortController();
    let stream: StreamedSend | undefined;
    let from: FetchedFrom | undefined;
    const begin = (offset: number): Feed | undefined => {
      const previous = stream;
      stream = undefined;
      if (send === undefined || offset > 0) return undefined;
      // The destination cleans up the wrong bytes first.
      const sendAfter = async (chunks: AsyncIterable<Uint8Array>) => {
        await previous?.ended();
        await send(chunks);
      };
      stream = new StreamedSend(sendAfter, (error) => abandon.abort(error));
      return stream.feed;
    };
    const inFlight = startFetch(cache, this.#blob.descriptor.digest, async (fetchSignal) => {
      from = await this.#fetchUntilVerified(cache, begin, fetchSignal);
    });
    try {
      await inFlight.join(send === undefined ? this.#signal : AbortSignal.any([this.#signal, abandon.signal]));
    } catch (error) {
      await stream?.fail(error);
      throw error;
    }
    const isFetched = from !== undefined && !from.isLocal && from.offset < this.#blob.descriptor.size;
    if (isFetched && !this.#usedFallback) this.#locations.recordFetched(this.#blob);
    const wasSent = (await stream?.delivered()) ?? false;
    return { from, wasSent };
  }

  /** Fetches the blob again if the digest does not match, because of a damaged ingest file or a source that sent wrong bytes. */
  async #fetchUntilVerified(
    cache: MoteCache,
    begin: (offset: number) => Feed | undefined,
    signal: AbortSignal,
  ): Promise<FetchedFrom | undefined> {
    const { digest, size } = this.#blob.descriptor;
    const { source, parallelFetches } = this.#job;
    let resumedAt = 0;
    const fetch = () =>
      fetchIntoCache({
        sources: () => this.#sources(),
        onSwitch: (error, offset) => {
          this.#usedFallback = true;
          this.#job.warn(`cannot read ${digest} from the source; continuing with a fallback`, error, digest);
          this.#job.emit({ type: "resume", digest, size, offset });
        },
        cache,
        descriptor: this.#blob.descriptor,
        parallel: this.#isSourceWrong ? undefined : parallelFetches(source, this.#blob.descriptor),
        received: this.#job.received.get(digest),
        signal,
        onEvent: this.#job.callOptions({ signal, blob: this.#blob.descriptor }).onEvent,
        begin: ({ stored: offset }) => {
          resumedAt = offset;
          if (offset > 0) this.#job.emit({ type: "resume", digest, size, offset });
          this.#locations.openSoon();
          return begin(offset);
        },
        onBytes: reportProgress(this.#job, this.#blob.descriptor),
        onReceived: (bytes) => this.#job.tallies.add("fetched", digest, bytes),
      });
    let mismatch: unknown;
    for (let attempt = 1; ; attempt++) {
      try {
        return await fetch();
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof CacheError) throw error;
        if (!isMismatch(error) || mismatch !== undefined) throw mismatch ?? error;
        // The source may have other mirrors.
        const hasMirror = this.#job.source.reportCorruption?.(this.#blob.descriptor) ?? false;
        const wasResumed = resumedAt > 0 && attempt === 1;
        if (!hasMirror && !wasResumed) {
          if (!(await this.#skipSource(error))) throw error;
          mismatch = error;
        }
        const isWrong = hasMirror || mismatch !== undefined;
        const reason = isWrong ? "the received bytes are wrong" : "the ingest file of an earlier attempt is damaged";
        this.#job.emit({ type: "retry", digest, size, reason });
      }
    }
  }

  /** Excludes the source from further attempts. Returns false if there is no fallback. */
  async #skipSource(error: unknown): Promise<boolean> {
    const { digest } = this.#blob.descriptor;
    // After an interrupted connection, the fallbacks were already used.
    if (isTruncated(error) || this.#job.openSource === undefined) return false;
    if ((await this.#locations.fallbacks(this.#blob)).length === 0) return false;
    this.#isSourceWrong = true;
    this.#usedFallback = true;
    this.#job.warn(`the source sent wrong bytes for ${digest}; reading it from a fallback`, error, digest);
    return true;
  }

  /** Yields the source and then its fallbacks. */
  async *#sources(): AsyncGenerator<ContentSource, void, undefined> {
    const { source, openSource } = this.#job;
    if (!this.#isSourceWrong) yield source;
    if (openSource === undefined) return;
    for (const ref of await this.#locations.fallbacks(this.#blob)) {
      const other = await openOrWarn(this.#job, openSource, ref, this.#blob.descriptor.digest);
      if (other === undefined) continue;
      try {
        yield other;
      } finally {
        await other[Symbol.asyncDispose]?.();
      }
    }
  }
}

async function openOrWarn(
  job: Job,
  openSource: NonNullable<Job["openSource"]>,
  ref: Ref,
  digest: Digest,
): Promise<ContentSource | undefined> {
  try {
    return await openSource(ref);
  } catch (error) {
    job.warn(`cannot open a fallback for ${digest}`, error, digest);
    return undefined;
  }
}
