import type { ContentSource, Digest, MoteCache, Ref } from "@mote/core";
import { CacheError, isMismatch, isTruncated } from "./cache-error.js";
import type { Feed } from "./feed.js";
import { type FetchedFrom, fetchIntoCache } from "./fetch-into-cache.js";
import type { PlannedBlob } from "./graph.js";
import { startFetch } from "./in-flight-fetch.js";
import type { Job } from "./job.js";
import type { Locations } from "./locations.js";
import { reportProgress } from "./progress.js";
import { StreamedSend } from "./streamed-send.js";

export interface Fetched {
  /** Where its bytes came from; undefined where another process brought the blob into the cache. */
  readonly from: FetchedFrom | undefined;
  /** Whether the destination was fed, and has the blob now. */
  readonly wasSent: boolean;
}

/** One fetch of one blob into a cache, which others may join. */
export class BlobFetch {
  readonly #job: Job;
  readonly #locations: Locations;
  readonly #blob: PlannedBlob;
  readonly #signal: AbortSignal;
  /** Whether bytes came from another place than the source: then it is not known to have all of them. */
  #switched = false;
  /** Its bytes were wrong, so only other places are asked. */
  #isSourceWrong = false;

  constructor(job: Job, locations: Locations, blob: PlannedBlob, signal: AbortSignal) {
    this.#job = job;
    this.#locations = locations;
    this.#blob = blob;
    this.#signal = signal;
  }

  /** `send` feeds a destination while the bytes arrive. What is resumed begins in the middle, and is not fed. */
  async run(
    cache: MoteCache,
    send: ((chunks: AsyncIterable<Uint8Array>) => Promise<void>) | undefined,
  ): Promise<Fetched> {
    const leave = new AbortController();
    let sending: StreamedSend | undefined;
    let from: FetchedFrom | undefined;
    const begin = (offset: number): Feed | undefined => {
      const before = sending;
      sending = undefined;
      if (send === undefined || offset > 0) return undefined;
      // Who was sent wrong bytes cleans up before he is sent others.
      const sendAfter = async (chunks: AsyncIterable<Uint8Array>) => {
        await before?.ended();
        await send(chunks);
      };
      sending = new StreamedSend(sendAfter, (error) => leave.abort(error));
      return sending.feed;
    };
    const flight = startFetch(cache, this.#blob.descriptor.digest, async (flightSignal) => {
      from = await this.#untilRight(cache, begin, flightSignal);
    });
    try {
      await flight.join(AbortSignal.any([this.#signal, leave.signal]));
    } catch (error) {
      await sending?.fail(error);
      throw error;
    }
    const isRead = from !== undefined && !from.isLocal && from.offset < this.#blob.descriptor.size;
    if (isRead && !this.#switched) this.#locations.recordFetched(this.#blob);
    const wasSent = (await sending?.delivered()) ?? false;
    return { from, wasSent };
  }

  /** A part of an earlier attempt that was damaged meanwhile, and a lying mirror, show in the digest; then all of it comes anew. */
  async #untilRight(
    cache: MoteCache,
    begin: (offset: number) => Feed | undefined,
    signal: AbortSignal,
  ): Promise<FetchedFrom | undefined> {
    const { digest, size } = this.#blob.descriptor;
    let resumedAt = 0;
    const fetch = () =>
      fetchIntoCache({
        sources: () => this.#sources(),
        onSwitch: (error, offset) => {
          this.#switched = true;
          this.#job.warn(`${digest} is read on at another place`, error, digest);
          this.#job.emit({ type: "resume", digest, size, offset });
        },
        cache,
        descriptor: this.#blob.descriptor,
        received: this.#job.received.get(digest),
        signal,
        onEvent: this.#job.callOptions({ signal, blob: this.#blob.descriptor }).onEvent,
        begin: (offset) => {
          resumedAt = offset;
          if (offset > 0) this.#job.emit({ type: "resume", digest, size, offset });
          return begin(offset);
        },
        onBytes: reportProgress(this.#job, this.#blob.descriptor),
        onReceived: (bytes) => this.#job.tallies.add("fetched", digest, bytes),
      });
    let lie: unknown;
    for (let attempt = 1; ; attempt++) {
      try {
        return await fetch();
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof CacheError) throw error;
        if (!isMismatch(error) || lie !== undefined) throw lie ?? error;
        // Who is to blame is asked in any case: the source may have another place to read from.
        const hasMirror = this.#job.source.reportCorruption?.(this.#blob.descriptor) ?? false;
        const isLeftover = resumedAt > 0 && attempt === 1;
        if (!hasMirror && !isLeftover) {
          if (!(await this.#passOverSource(error))) throw error;
          lie = error;
        }
        const isLie = hasMirror || lie !== undefined;
        const reason = isLie ? "wrong bytes came" : "what was left of an earlier attempt is damaged";
        this.#job.emit({ type: "retry", digest, size, reason });
      }
    }
  }

  /** Whether there are other places to read all of the blob from. */
  async #passOverSource(error: unknown): Promise<boolean> {
    const { digest } = this.#blob.descriptor;
    // After a cut they have been asked already.
    if (isTruncated(error) || this.#job.openSource === undefined) return false;
    if ((await this.#locations.fallbacks(this.#blob)).length === 0) return false;
    this.#isSourceWrong = true;
    this.#switched = true;
    this.#job.warn(`${digest} came wrong, and is read at another place`, error, digest);
    return true;
  }

  /** The source, and after it other places where the blob was seen. */
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
    job.warn(`another place of ${digest} cannot be opened`, error, digest);
    return undefined;
  }
}
