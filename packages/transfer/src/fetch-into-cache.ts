import {
  type CallOptions,
  type ContentSource,
  chunksUntilAborted,
  type Descriptor,
  type Mote,
  type MoteCache,
  MoteError,
  type MoteWriter,
  type ResumableWriter,
  resumeChunks,
  untilAborted,
} from "@mote/core";
import { CacheError, isMismatch, isTruncated } from "./cache-error.js";
import type { Feed } from "./feed.js";
import { inlinedBytes } from "./inlined-data.js";

const longestWaitMs = 50;

export interface Fetch {
  /** Where the blob is read, and where it is read on if that fails. Taken one after another, as they are needed. */
  readonly sources: () => AsyncIterable<ContentSource>;
  /** Called when one source has failed and the next is asked from that byte on. */
  readonly onSwitch: (error: unknown, offset: number) => void;
  readonly cache: MoteCache;
  readonly descriptor: Descriptor;
  /** The blob's bytes, where they are here already. */
  readonly received?: Uint8Array | undefined;
  readonly signal: AbortSignal;
  /** Called with what the source does for this fetch. */
  readonly onEvent: CallOptions["onEvent"];
  /** Called when it is known from where on the source is read; what it answers is fed with the bytes from there on. */
  readonly begin: (offset: number) => Feed | undefined;
  /** So many bytes of the blob are here now. */
  readonly onBytes: (bytes: number) => void;
  /** So many bytes more have come from a source, whatever becomes of them. */
  readonly onReceived: (bytes: number) => void;
}

export interface FetchedFrom {
  /** Bytes that were left of an earlier attempt. */
  readonly offset: number;
  /** The rest of them was here already: the descriptor had them, or they were received before. */
  readonly isLocal: boolean;
}

/**
 * Moves a blob from the source into the cache, whose writer checks size and digest; the feed ends cleanly after that only.
 * Where the cache says that somebody else is at it, in any process, that one is waited for; where he gives up, this one goes on.
 * Answers where the bytes came from; undefined where it was somebody else who brought the blob.
 * @throws CacheFault · MOTE_SIZE_MISMATCH · MOTE_DIGEST_MISMATCH · what the source throws
 */
export async function fetchIntoCache(fetch: Fetch): Promise<FetchedFrom | undefined> {
  const { digest, mediaType, size } = fetch.descriptor;
  const { cache, signal } = fetch;
  const mote = await writingCache(cache.createMote(digest, mediaType, size, { signal }), signal);
  for (let waitMs = 1; ; waitMs = Math.min(2 * waitMs, longestWaitMs)) {
    const writer = await openWriter(fetch, mote);
    if (writer !== undefined) return fetchWith(writer, fetch);
    if (await waitForOtherWriter(fetch)) return undefined;
    await new Promise((resolve) => setTimeout(resolve, waitMs));
    signal.throwIfAborted();
  }
}

/** Undefined where somebody else is writing the blob. */
async function openWriter({ cache, signal }: Fetch, mote: Mote): Promise<MoteWriter | ResumableWriter | undefined> {
  const opening =
    cache.leadMote?.(mote, { signal }) ??
    cache.resumeMote?.(mote, { signal }) ??
    cache.moteWriter(mote.digest, { signal });
  return writingCache(opening, signal);
}

/** Whether he did. His bytes are not wanted, only their end: they are delivered from the cache when they are verified. */
async function waitForOtherWriter({ cache, descriptor, signal }: Fetch): Promise<boolean> {
  const start = descriptor.size;
  const follower = await writingCache(
    cache.followMote?.(descriptor.digest, { start, signal }) ?? Promise.resolve(undefined),
    signal,
  );
  if (follower === undefined) return false;
  try {
    for await (const _ of follower) {
      // more than its descriptor says: the delivery will tell
    }
    return true;
  } catch (error) {
    signal.throwIfAborted();
    if (MoteError.isInstance(error) && error.code === "MOTE_WRITER_GONE") return false;
    throw CacheError.writing(error);
  } finally {
    await follower.close();
  }
}

async function fetchWith(writer: MoteWriter | ResumableWriter, fetch: Fetch): Promise<FetchedFrom> {
  const { descriptor, signal } = fetch;
  const offset = isResumable(writer) ? writer.offset : 0;
  const feed = fetch.begin(offset);
  const inlined = fetch.received ?? inlinedBytes(descriptor);
  let bytes = offset;
  try {
    // A cache takes what it is given before `write` resolves; a feed keeps it for longer.
    const from = { start: offset, reuse: feed === undefined };
    for await (const chunk of inlined ? [inlined.subarray(offset)] : chunksFrom(fetch, from)) {
      signal.throwIfAborted();
      await writingCache(writer.write(chunk), signal);
      bytes += chunk.byteLength;
      fetch.onBytes(bytes);
      await feed?.push(chunk);
    }
    signal.throwIfAborted();
    await writingCache(writer.close(), signal);
    feed?.end();
    return { offset, isLocal: inlined !== undefined };
  } catch (error) {
    feed?.fail(error);
    await releaseWriter(writer, error);
    throw error;
  }
}

/** The cache's writer verifies, so the sources need not. The next source continues at the very byte where the last one failed. */
async function* chunksFrom(
  fetch: Fetch,
  { start, reuse }: { readonly start: number; readonly reuse: boolean },
): AsyncGenerator<Uint8Array, void, undefined> {
  const { descriptor, signal, onSwitch } = fetch;
  if (start === descriptor.size) return;
  const sources = fetch.sources()[Symbol.asyncIterator]();
  const open = async (offset: number) => {
    const { done, value: source } = await sources.next();
    return done ? undefined : sourceChunks(source, fetch, { start: offset, reuse });
  };
  let firstError: { readonly error: unknown } | undefined;
  try {
    const first = await open(start);
    if (first === undefined) throw noSourceLeft(descriptor);
    yield* resumeChunks(first, start, async ({ offset, failure }) => {
      if (failure === undefined && offset >= descriptor.size) return undefined;
      signal.throwIfAborted();
      const ended = failure ?? { error: endedEarly(descriptor, offset) };
      firstError ??= ended;
      const next = await open(offset);
      if (next === undefined) throw firstError.error;
      onSwitch(ended.error, offset);
      return next;
    });
  } finally {
    await sources.return?.();
  }
}

/** Ends at an abort even if the source does not: then the source is closed, but not waited for. */
async function* sourceChunks(
  source: ContentSource,
  { descriptor, signal, onEvent, onReceived }: Fetch,
  { start, reuse }: { readonly start: number; readonly reuse: boolean },
): AsyncGenerator<Uint8Array, void, undefined> {
  const opening = source.blob(descriptor, { start, verifyOnRead: false, reuse, signal, onEvent });
  const close = () => opening.then((reader) => reader.close());
  try {
    for await (const chunk of chunksUntilAborted(await untilAborted(opening, signal), signal)) {
      onReceived(chunk.byteLength);
      yield chunk;
    }
  } finally {
    if (signal.aborted) close().catch(() => {});
    else await close().catch(() => {});
  }
}

function noSourceLeft({ digest }: Descriptor): MoteError {
  return new MoteError("MOTE_NOT_FOUND", `there is no place left to read ${digest} from`, { details: { digest } });
}

function endedEarly({ digest, size }: Descriptor, position: number): MoteError {
  return new MoteError("MOTE_SIZE_MISMATCH", `the source ended ${digest} after ${position} of ${size} bytes`, {
    details: { digest, expected: size, actual: position },
  });
}

async function writingCache<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  try {
    return await work;
  } catch (error) {
    signal.throwIfAborted();
    throw isMismatch(error) ? error : CacheError.writing(error);
  }
}

/** What was received before a connection broke is kept for the next attempt; wrong bytes are not. */
async function releaseWriter(writer: MoteWriter | ResumableWriter, error: unknown): Promise<void> {
  const isWrong = isMismatch(error) && !isTruncated(error);
  try {
    if (isResumable(writer) && !isWrong && !(error instanceof CacheError)) await writer.suspend();
    else await writer.abort();
  } catch {
    // The failure that is on its way says more than that of tidying up after it.
  }
}

function isResumable(writer: MoteWriter | ResumableWriter): writer is ResumableWriter {
  return "suspend" in writer;
}
