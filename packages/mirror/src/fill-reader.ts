import { setTimeout as delay } from "node:timers/promises";
import {
  CacheError,
  type Cancellable,
  createDigester,
  digestAlgorithm,
  isNotFound,
  type MoteCache,
  MoteError,
  type MoteFollower,
  type MoteInfo,
  type MoteReader,
  ReadOnceReader,
  untilAborted,
} from "@mote/core";

const pollMs = 10;

export interface FillReaderOptions extends Cancellable {
  readonly start: number;
  /** The byte after the last one to read. */
  readonly end: number;
  /** Settles when the fill has ended. */
  readonly done: Promise<void>;
  /** Reads the blob from its upstream, without the cache. */
  readonly openDirect: () => Promise<MoteReader>;
  readonly onClose: () => void;
}

/**
 * Reads a blob while it is fetched into the cache, by this process or another one, or past the cache if that cannot be written. A whole
 * blob is verified: the reader ends cleanly only if its bytes match the digest.
 */
export class FillReader extends ReadOnceReader {
  readonly #cache: MoteCache;
  readonly #options: FillReaderOptions;

  constructor(info: MoteInfo, cache: MoteCache, options: FillReaderOptions) {
    super(info);
    this.#cache = cache;
    this.#options = options;
  }

  protected chunks(): AsyncGenerator<Uint8Array, void, undefined> {
    const { start, end } = this.#options;
    return start === 0 && end === this.info.size ? this.#verified() : firstBytes(this.#follow(start), end - start);
  }

  protected override release(): void {
    this.#options.onClose();
  }

  /** A fetch that was resumed may have followed wrong bytes with right ones, so all of them are hashed here. */
  async *#verified(): AsyncGenerator<Uint8Array, void, undefined> {
    const { digest, size } = this.info;
    const digester = createDigester(digestAlgorithm(digest));
    let bytes = 0;
    for await (const chunk of this.#follow(0)) {
      digester.update(chunk);
      bytes += chunk.byteLength;
      yield chunk;
    }
    if (bytes === size && digester.digest() === digest) return;
    throw new MoteError("MOTE_DIGEST_MISMATCH", `${digest} came with wrong bytes; request it again`, {
      details: { digest },
    });
  }

  async *#follow(start: number): AsyncGenerator<Uint8Array, void, undefined> {
    let position = start;
    for (;;) {
      this.#options.signal?.throwIfAborted();
      const follower = await this.#open(position);
      if (follower === undefined) return yield* this.#direct(position);
      try {
        for await (const chunk of follower) {
          position += chunk.byteLength;
          yield chunk;
        }
        return;
      } catch (error) {
        if (!isWriterGone(error)) throw error;
      } finally {
        await follower.close();
      }
    }
  }

  /** Returns undefined if the cache cannot store the blob. */
  async #open(start: number): Promise<MoteFollower | MoteReader | undefined> {
    const { digest } = this.info;
    const { done, signal } = this.#options;
    const options = { start, signal, verifyOnRead: false };
    const outcome = done.then(
      () => ({ error: undefined }),
      (error: unknown) => ({ error: error ?? new Error("the fetch failed") }),
    );
    for (;;) {
      const follower = await this.#cache.followMote?.(digest, options);
      if (follower !== undefined) return follower;
      const ended = await untilAborted(Promise.race([outcome, delay(pollMs, undefined, { ref: false })]), signal);
      if (ended === undefined) continue;
      if (ended.error === undefined) return this.#stored(start);
      if (ended.error instanceof CacheError) return undefined;
      throw ended.error;
    }
  }

  /** A cache may store nothing, or remove the blob at once. */
  async #stored(start: number): Promise<MoteReader | undefined> {
    try {
      return await this.#cache.moteReader(this.info.digest, { start, signal: this.#options.signal });
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  async *#direct(start: number): AsyncGenerator<Uint8Array, void, undefined> {
    await using reader = await this.#options.openDirect();
    let toSkip = start;
    for await (const chunk of reader) {
      const skipped = Math.min(toSkip, chunk.byteLength);
      toSkip -= skipped;
      if (skipped < chunk.byteLength) yield chunk.subarray(skipped);
    }
  }
}

async function* firstBytes(
  chunks: AsyncIterable<Uint8Array>,
  count: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  let left = count;
  if (left <= 0) return;
  for await (const chunk of chunks) {
    yield left < chunk.byteLength ? chunk.subarray(0, left) : chunk;
    left -= chunk.byteLength;
    if (left <= 0) return;
  }
}

function isWriterGone(error: unknown): boolean {
  return MoteError.isInstance(error) && error.code === "MOTE_WRITER_GONE";
}
