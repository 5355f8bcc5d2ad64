import { setTimeout as delay } from "node:timers/promises";
import {
  CacheError,
  type Cancellable,
  createDigester,
  type Digester,
  digestAlgorithm,
  hasCode,
  isNotFound,
  type MoteCache,
  MoteError,
  type MoteFollower,
  type MoteInfo,
  type MoteReader,
  ReadOnceReader,
  untilAborted,
} from "@mote/core";
import type { RunningFill } from "./fills.js";
import type { RecentChunks, SharedRead } from "./recent-chunks.js";

const pollMs = 10;

export interface FillReaderOptions extends Cancellable {
  readonly start: number;
  /** The byte after the last one to read. */
  readonly end: number;
  readonly fill: RunningFill;
  /** Whether a chunk's memory may be reused when the next chunk is read. */
  readonly reuse?: boolean | undefined;
  /** Reads the blob from its upstream, without the cache. */
  readonly openDirect: (start: number) => Promise<MoteReader>;
}

/**
 * Reads a blob while it is fetched into the cache, by this process or another one, or from its upstream if the cache cannot be written. A
 * complete blob is verified: the reader ends cleanly only if its bytes match the digest.
 */
export class FillReader extends ReadOnceReader {
  readonly #cache: MoteCache;
  readonly #options: FillReaderOptions;
  readonly #leave: () => void;
  #position: number;
  /** Set while everything was read from the memory of one fill, which verifies it. */
  #shared: { readonly recent: RecentChunks; readonly read: SharedRead } | undefined;
  /** Whether everything was read from one growing file, whose writer verifies it. */
  #isFollowing = false;
  /** Hashes what is read otherwise: a fetch that was resumed may have followed wrong bytes with right ones. */
  #digester: Digester | undefined;

  constructor(info: MoteInfo, cache: MoteCache, options: FillReaderOptions) {
    super(info);
    this.#cache = cache;
    this.#options = options;
    this.#leave = options.fill.enter();
    this.#position = options.start;
  }

  protected async *chunks(): AsyncGenerator<Uint8Array, void, undefined> {
    const { start, end } = this.#options;
    if (!this.#isWhole) return yield* firstBytes(this.#follow(), end - start);
    for await (const chunk of this.#follow()) yield chunk;
    const { digest, size } = this.info;
    const isVerified = this.#shared !== undefined || this.#isFollowing;
    if (this.#position === size && (isVerified || this.#hash().digest() === digest)) return;
    throw new MoteError("MOTE_DIGEST_MISMATCH", `wrong bytes were received for ${digest}; request it again`, {
      details: { digest },
    });
  }

  protected override release(): void {
    if (this.#shared !== undefined) this.#shared.recent.drop(this.#shared.read);
    this.#leave();
  }

  async *#follow(): AsyncGenerator<Uint8Array, void, undefined> {
    const { fill, signal } = this.#options;
    for (;;) {
      signal?.throwIfAborted();
      let recent: RecentChunks | undefined;
      try {
        recent = await untilAborted(fill.begun(), signal);
        if (recent?.has(this.#position)) {
          if (yield* this.#fromMemory(recent)) return;
          continue;
        }
      } catch (error) {
        if (!(error instanceof CacheError)) throw error;
        return yield* this.#direct();
      }
      const opened = await this.#open();
      if (opened === undefined) return yield* this.#direct();
      if (yield* this.#fromFile(opened, recent)) return;
    }
  }

  /** Returns whether the blob was read to its end. */
  async *#fromMemory(recent: RecentChunks): AsyncGenerator<Uint8Array, boolean, undefined> {
    const { signal } = this.#options;
    if (this.#position === 0 && this.#digester === undefined) {
      const read = recent.share();
      this.#shared = read && { recent, read };
    }
    try {
      for (;;) {
        const chunk = await recent.next(this.#position, signal);
        if (chunk === "ended") return true;
        if (chunk === "removed") break;
        this.#took(chunk);
        yield chunk;
      }
    } catch (error) {
      if (!(error instanceof CacheError)) throw error;
      if (this.#shared !== undefined) this.#hash();
      throw error;
    }
    if (this.#shared !== undefined) this.#hash();
    return false;
  }

  /** Reads to the end if the writer verifies the bytes, otherwise until the next byte is in memory. Returns whether the end was reached. */
  async *#fromFile(
    opened: MoteFollower | MoteReader,
    recent: RecentChunks | undefined,
  ): AsyncGenerator<Uint8Array, boolean, undefined> {
    try {
      for await (const chunk of opened) {
        this.#took(chunk);
        yield chunk;
        if (!this.#isFollowing && recent?.has(this.#position)) return false;
      }
      return true;
    } catch (error) {
      // Without their hash, bytes of a writer that is gone cannot be continued.
      if (!hasCode(error, "MOTE_WRITER_GONE") || this.#isFollowing) throw error;
      return false;
    } finally {
      await opened.close();
    }
  }

  async *#direct(): AsyncGenerator<Uint8Array, void, undefined> {
    await using reader = await this.#options.openDirect(this.#position);
    for await (const chunk of reader) {
      this.#took(chunk);
      yield chunk;
    }
  }

  #took(chunk: Uint8Array): void {
    if (this.#shared !== undefined) this.#shared.read.position += chunk.byteLength;
    else if (this.#isWhole && !this.#isFollowing) this.#hash().update(chunk);
    this.#position += chunk.byteLength;
  }

  get #isWhole(): boolean {
    const { start, end } = this.#options;
    return start === 0 && end >= this.info.size;
  }

  /** Returns the hash of what was read so far, and hashes the rest here. */
  #hash(): Digester {
    const shared = this.#shared;
    this.#shared = undefined;
    this.#digester ??= shared?.recent.leave(shared.read) ?? createDigester(digestAlgorithm(this.info.digest));
    return this.#digester;
  }

  /** Opens the growing file. Returns undefined if the cache cannot store the blob. */
  async #open(): Promise<MoteFollower | MoteReader | undefined> {
    const { digest } = this.info;
    const { fill, reuse, signal } = this.#options;
    const isFirst = this.#isWhole && this.#position === 0 && this.#digester === undefined;
    const outcome = fill.done.then(
      () => ({ error: undefined }),
      (error: unknown) => ({ error: error ?? new Error("the fetch failed") }),
    );
    const ended = () => untilAborted(Promise.race([outcome, delay(pollMs, undefined, { ref: false })]), signal);
    const onGone = async (hash: () => Promise<Digester>) => {
      // A fetch that has failed is not continued: then nothing is hashed.
      const error = (await ended())?.error;
      if (error !== undefined && !(error instanceof CacheError)) throw error;
      this.#digester = await hash();
      this.#isFollowing = false;
    };
    const options = { start: this.#position, reuse, signal, verifyOnRead: false, ...(isFirst && { onGone }) };
    for (;;) {
      const follower = await this.#cache.followMote?.(digest, options);
      if (follower !== undefined) {
        this.#isFollowing = isFirst;
        return follower;
      }
      const end = await ended();
      if (end === undefined) continue;
      if (end.error === undefined) return this.#stored();
      if (end.error instanceof CacheError) return undefined;
      throw end.error;
    }
  }

  /** A cache may store nothing, or remove the blob at once. */
  async #stored(): Promise<MoteReader | undefined> {
    try {
      const { reuse, signal } = this.#options;
      return await this.#cache.moteReader(this.info.digest, { start: this.#position, reuse, signal });
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
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
