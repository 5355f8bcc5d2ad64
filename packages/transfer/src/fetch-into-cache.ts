import {
  type ContentSource,
  type Descriptor,
  type MoteCache,
  MoteError,
  type MoteWriter,
  type ResumableWriter,
} from "@mote/core";
import { CacheFault, isMismatch } from "./cache-fault.js";
import type { Feed } from "./feed.js";
import { inlinedBytes } from "./inlined-data.js";

export interface Fetch {
  /** Where the blob is read, and where it is read on if that fails. Taken one after another, as they are needed. */
  readonly sources: () => AsyncIterable<ContentSource>;
  /** Called when one source has failed and the next is asked from that byte on. */
  readonly onSwitch: (error: unknown, offset: number) => void;
  readonly cache: MoteCache;
  readonly descriptor: Descriptor;
  readonly signal: AbortSignal;
  /** Called when it is known from where on the source is read; what it answers is fed with the bytes from there on. */
  readonly begin: (offset: number) => Feed | undefined;
  /** So many bytes of the blob are here now. */
  readonly onBytes: (bytes: number) => void;
}

/**
 * Moves a blob from the source into the cache, whose writer checks size and digest; the feed ends cleanly after that only.
 * Answers how many bytes the source sent.
 * @throws CacheFault · MOTE_SIZE_MISMATCH · MOTE_DIGEST_MISMATCH · what the source throws
 */
export async function fetchIntoCache(fetch: Fetch): Promise<number> {
  const { descriptor, signal } = fetch;
  const writer = await openWriter(fetch);
  const offset = isResumable(writer) ? writer.offset : 0;
  const feed = fetch.begin(offset);
  const inlined = inlinedBytes(descriptor);
  let bytes = offset;
  try {
    for await (const chunk of inlined ? [inlined.subarray(offset)] : chunksFrom(fetch, offset)) {
      signal.throwIfAborted();
      await writingCache(writer.write(chunk), signal);
      bytes += chunk.byteLength;
      fetch.onBytes(bytes);
      await feed?.push(chunk);
    }
    signal.throwIfAborted();
    await writingCache(writer.close(), signal);
    feed?.end();
    return inlined ? 0 : bytes - offset;
  } catch (error) {
    feed?.fail(error);
    await giveUp(writer, error);
    throw error;
  }
}

async function openWriter({ cache, descriptor, signal }: Fetch): Promise<MoteWriter | ResumableWriter> {
  const { digest, mediaType, size } = descriptor;
  const mote = await writingCache(cache.createMote(digest, mediaType, size, { signal }), signal);
  return writingCache(cache.resumeMote?.(mote, { signal }) ?? cache.moteWriter(digest, { signal }), signal);
}

/** The cache's writer verifies, so the sources need not. Another source goes on at the very byte where the last one failed. */
async function* chunksFrom(fetch: Fetch, start: number): AsyncGenerator<Uint8Array, void, undefined> {
  const { sources, descriptor, signal, onSwitch } = fetch;
  let position = start;
  let failure: { readonly first: unknown; readonly last: unknown } | undefined;
  if (position === descriptor.size) return;
  for await (const source of sources()) {
    if (failure !== undefined) onSwitch(failure.last, position);
    try {
      await using reader = await source.blob(descriptor, { start: position, verifyOnRead: false, signal });
      for await (const chunk of reader) {
        position += chunk.byteLength;
        yield chunk;
      }
      if (position >= descriptor.size) return;
      throw endedEarly(descriptor, position);
    } catch (error) {
      signal.throwIfAborted();
      failure = { first: failure?.first ?? error, last: error };
    }
  }
  throw failure?.first;
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
    throw isMismatch(error) ? error : CacheFault.inWriting(error);
  }
}

/** What was received before a connection broke is kept for the next attempt; wrong bytes are not. */
async function giveUp(writer: MoteWriter | ResumableWriter, error: unknown): Promise<void> {
  try {
    if (isResumable(writer) && !isMismatch(error) && !(error instanceof CacheFault)) await writer.suspend();
    else await writer.abort();
  } catch {
    // The failure that is on its way says more than that of tidying up after it.
  }
}

function isResumable(writer: MoteWriter | ResumableWriter): writer is ResumableWriter {
  return "suspend" in writer;
}
