import { type ByteRange, ByteRanges } from "./byte-ranges.js";
import { BytesReader } from "./bytes-reader.js";
import { isRangedWriter, type MoteCache, type RangedWriter, type ResumableWriter } from "./capabilities.js";
import type { CallOptions, ContentSource } from "./content.js";
import type { Descriptor } from "./descriptor.js";
import { hasCode, MoteError } from "./error.js";
import { type FetchFeed, passOnToFeed } from "./feed-while-fetching.js";
import { CacheError, isMismatch, isTruncated } from "./fetch-error.js";
import { fetchRanges } from "./fetch-ranges.js";
import { inlinedBytes } from "./inlined-data.js";
import type { Mote, MoteReader, MoteWriter } from "./mote.js";
import type { ParallelFetch } from "./parallel-fetch.js";
import { resumeChunks } from "./resume-chunks.js";
import { endedEarly, sourceChunks } from "./source-chunks.js";
import { untilAborted } from "./until-aborted.js";

const maxWaitMs = 50;

export interface CacheFetch {
  /** Yields the source and its fallbacks, which are opened as needed. */
  readonly sources: () => AsyncIterable<Pick<ContentSource, "blob">>;
  /** Called when a source has failed and the next one continues at `offset`. */
  readonly onSwitch: (error: unknown, offset: number) => void;
  readonly cache: MoteCache;
  readonly descriptor: Descriptor;
  /** Set to read a large blob over several connections, if the cache stores its bytes in any order. Default: one stream. */
  readonly parallel?: ParallelFetch | undefined;
  /** The complete blob, if it was received before. */
  readonly received?: Uint8Array | undefined;
  readonly signal: AbortSignal;
  /** Receives the events of the source. */
  readonly onEvent: CallOptions["onEvent"];
  /** Called before bytes are fetched. Returns a feed that receives them. */
  readonly begin: (beginning: FetchBeginning) => FetchFeed | undefined;
  /** Called when another writer of the blob is active, whose end is waited for. */
  readonly onOtherWriter?: (() => void) | undefined;
  /** Called with the number of bytes of the blob that are stored, and the number of those before the first gap. */
  readonly onBytes: (bytes: number, inOrder: number) => void;
  /** Called with the number of bytes of each chunk from a source. */
  readonly onReceived: (bytes: number) => void;
}

export interface FetchBeginning {
  /** The number of bytes from an earlier attempt. */
  readonly stored: number;
  /** The first byte that a feed receives. */
  readonly start: number;
  /** Whether bytes arrive in order. Otherwise a feed gets them from the cache, once no byte before them is missing. */
  readonly isInOrder: boolean;
}

export interface FetchedFrom {
  /** The number of bytes from an earlier attempt. */
  readonly offset: number;
  /** Whether the rest was in the descriptor or received before. */
  readonly isLocal: boolean;
}

/**
 * Fetches a blob into the cache, whose writer verifies it before the feed ends cleanly. Waits for a writer in another process; if that aborts,
 * continues its fetch.
 * @returns where the bytes came from; undefined if another writer fetched the blob
 * @throws CacheError · MOTE_SIZE_MISMATCH · MOTE_DIGEST_MISMATCH · what the source throws
 */
export async function fetchIntoCache(fetch: CacheFetch): Promise<FetchedFrom | undefined> {
  const { digest, mediaType, size } = fetch.descriptor;
  const { cache, signal } = fetch;
  const mote = await writingCache(cache.createMote(digest, mediaType, size, { signal }), signal);
  for (let waitMs = 1; ; waitMs = Math.min(2 * waitMs, maxWaitMs)) {
    const writer = await openWriter(fetch, mote);
    if (writer !== undefined) return fetchWith(writer, fetch);
    fetch.onOtherWriter?.();
    if (await waitForOtherWriter(fetch)) return undefined;
    await new Promise((resolve) => setTimeout(resolve, waitMs));
    signal.throwIfAborted();
  }
}

/** Opens the writer; returns undefined if another writer is active. */
async function openWriter(
  { cache, signal, parallel, received, descriptor }: CacheFetch,
  mote: Mote,
): Promise<MoteWriter | ResumableWriter | undefined> {
  const isLocal = received !== undefined || inlinedBytes(descriptor) !== undefined;
  const inAnyOrder = parallel !== undefined && !isLocal && cache.followMote !== undefined;
  const opening =
    cache.leadMote?.(mote, { signal, inAnyOrder }) ??
    cache.resumeMote?.(mote, { signal }) ??
    cache.moteWriter(mote.digest, { signal });
  return writingCache(opening, signal);
}

/** Waits for the other writer. Returns whether it committed the blob, which is then delivered from the cache. */
async function waitForOtherWriter({ cache, descriptor, signal }: CacheFetch): Promise<boolean> {
  const start = descriptor.size;
  const follower = await writingCache(
    cache.followMote?.(descriptor.digest, { start, signal }) ?? Promise.resolve(undefined),
    signal,
  );
  if (follower === undefined) return false;
  try {
    for await (const _ of follower) {
      // The blob is larger than its descriptor says, which the delivery reports.
    }
    return true;
  } catch (error) {
    signal.throwIfAborted();
    if (hasCode(error, "MOTE_WRITER_GONE")) return false;
    throw CacheError.writing(error);
  } finally {
    await follower.close();
  }
}

async function fetchWith(writer: MoteWriter | ResumableWriter, fetch: CacheFetch): Promise<FetchedFrom> {
  const { descriptor, signal } = fetch;
  const inlined = fetch.received ?? inlinedBytes(descriptor);
  if (isRangedWriter(writer) && inlined === undefined) return fetchInAnyOrder(writer, fetch);
  const offset = isResumable(writer) ? writer.offset : 0;
  const feed = fetch.begin({ stored: offset, start: offset, isInOrder: true });
  let bytes = offset;
  const store = async (chunk: Uint8Array) => {
    signal.throwIfAborted();
    await writingCache(writer.write(chunk), signal);
    bytes += chunk.byteLength;
    fetch.onBytes(bytes, bytes);
    if (feed !== undefined) await feed.push(chunk);
    return true;
  };
  await committing(writer, fetch, feed, async () => {
    if (inlined !== undefined) await store(inlined.subarray(offset));
    // A cache does not keep a chunk after `write`, but a feed does.
    else if (offset < descriptor.size)
      await storeFromSources(fetch, { start: offset, end: descriptor.size, reuse: feed === undefined, store });
  });
  feed?.end();
  return { offset, isLocal: inlined !== undefined };
}

/** Commits what `work` has written. After an error, fails the feed, and suspends or aborts the writer. */
async function committing(
  writer: MoteWriter | ResumableWriter,
  { signal }: CacheFetch,
  feed: FetchFeed | undefined,
  work: () => Promise<void>,
): Promise<void> {
  try {
    await work();
    signal.throwIfAborted();
    await writingCache(writer.close(), signal);
  } catch (error) {
    feed?.fail(error);
    await releaseWriter(writer, error);
    throw error;
  }
}

/** Fetches what an earlier writer has not stored. The feed gets the bytes in order, from the cache. */
async function fetchInAnyOrder(writer: RangedWriter, fetch: CacheFetch): Promise<FetchedFrom> {
  const { descriptor, signal, parallel } = fetch;
  const written = new ByteRanges(writer.stored);
  const offset = written.bytes;
  const feed = fetch.begin({ stored: offset, start: writer.offset, isInOrder: false });
  const feeding = feed && passOnToFeed(feed, writer.offset, fetch);
  const store = async (chunk: Uint8Array, at: number) => {
    signal.throwIfAborted();
    await writingCache(writer.writeAt(chunk, at), signal);
    written.add(at, at + chunk.byteLength);
    fetch.onBytes(written.bytes, written.prefixEnd);
  };
  await committing(writer, fetch, feed, async () => {
    try {
      if (parallel !== undefined) await fetchRanges({ ...fetch, ...parallel, writer, store });
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof CacheError) throw error;
      parallel?.onEnd(error);
    }
    for (const gap of written.missing(0, descriptor.size)) {
      let at = gap.start;
      const storeNext = async (chunk: Uint8Array) => {
        // At the end of the blob, the writer reports excess bytes.
        const wanted = gap.end < descriptor.size ? chunk.subarray(0, gap.end - at) : chunk;
        await store(wanted, at);
        at += wanted.byteLength;
        return wanted.byteLength === chunk.byteLength;
      };
      await storeFromSources(fetch, { ...gap, reuse: true, store: storeNext });
    }
  });
  await feeding;
  return { offset, isLocal: false };
}

interface Reading extends ByteRange {
  readonly reuse: boolean;
  /** Resolves to false to stop: the source sends more than was requested. */
  readonly store: (chunk: Uint8Array) => Promise<boolean>;
}

/** Stores the bytes of the source and, after an error, of its fallbacks. The writer of the cache verifies them. */
async function storeFromSources(fetch: CacheFetch, reading: Reading): Promise<void> {
  const { descriptor, signal } = fetch;
  const { start, end, store } = reading;
  const sources = fetch.sources()[Symbol.asyncIterator]();
  try {
    const opening = await openNext(fetch, sources, reading);
    if (opening === undefined) throw noSourceLeft(descriptor);
    const complete = await receivedAtOnce(opening, signal);
    if (complete?.byteLength === end - start) {
      fetch.onReceived(complete.byteLength);
      await store(complete);
      return;
    }
    for await (const chunk of chunksFrom(fetch, sources, opening, reading)) if (!(await store(chunk))) return;
  } finally {
    await sources.return?.();
  }
}

type Sources = AsyncIterator<Pick<ContentSource, "blob">>;
/** A promise would be awaited too early if it were the result itself. */
type Opening = { readonly reader: Promise<MoteReader> };

/** Opens the blob at the next source; undefined if there is none. */
async function openNext(
  { descriptor, signal, onEvent }: CacheFetch,
  sources: Sources,
  { start, end, reuse }: Omit<Reading, "store">,
): Promise<Opening | undefined> {
  const { done, value: source } = await sources.next();
  if (done) return undefined;
  const part = end === descriptor.size ? { start } : { start, end };
  const reader = source.blob(descriptor, { ...part, verifyOnRead: false, reuse, signal, onEvent });
  // Awaited later.
  reader.catch(() => {});
  return { reader };
}

/** Returns all bytes if they are there already, as those of most small blobs: streams would cost more than the rest of its fetch. */
async function receivedAtOnce({ reader }: Opening, signal: AbortSignal): Promise<Uint8Array | undefined> {
  try {
    const opened = await untilAborted(reader, signal);
    return opened instanceof BytesReader ? opened.bytes : undefined;
  } catch {
    // Reported where the chunks are read.
    return undefined;
  }
}

/** Yields the chunks of an opened source, then those of its fallbacks. */
async function* chunksFrom(
  fetch: CacheFetch,
  sources: Sources,
  opening: Opening,
  { start, end, reuse }: Reading,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { descriptor, signal, onSwitch } = fetch;
  let firstError: { readonly error: unknown } | undefined;
  yield* resumeChunks(sourceChunks(opening.reader, fetch), start, async ({ offset, failure }) => {
    if (failure === undefined && offset >= end) return undefined;
    signal.throwIfAborted();
    const ended = failure ?? { error: endedEarly(descriptor, offset) };
    firstError ??= ended;
    const next = await openNext(fetch, sources, { start: offset, end, reuse });
    if (next === undefined) throw firstError.error;
    onSwitch(ended.error, offset);
    return sourceChunks(next.reader, fetch);
  });
}

function noSourceLeft({ digest }: Descriptor): MoteError {
  return new MoteError("MOTE_NOT_FOUND", `cannot read ${digest}: there are no more sources`, { details: { digest } });
}

async function writingCache<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  try {
    return await work;
  } catch (error) {
    signal.throwIfAborted();
    throw isMismatch(error) ? error : CacheError.writing(error);
  }
}

/** Suspends the writer so that the fetch can be resumed, or discards wrong bytes. */
async function releaseWriter(writer: MoteWriter | ResumableWriter, error: unknown): Promise<void> {
  const isWrong = isMismatch(error) && !isTruncated(error);
  try {
    if (isResumable(writer) && !isWrong && !(error instanceof CacheError)) await writer.suspend();
    else await writer.abort();
  } catch {
    // The original error is more useful than that of the cleanup.
  }
}

function isResumable(writer: MoteWriter | ResumableWriter): writer is ResumableWriter {
  return "suspend" in writer;
}
