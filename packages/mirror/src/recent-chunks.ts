import { createDigester, type Digest, type Digester, digestAlgorithm, type FetchFeed, untilAborted } from "@mote/core";

interface Chunk {
  /** The position of its first byte in the blob. */
  readonly at: number;
  readonly bytes: Uint8Array;
}

/** A reader that has read all its bytes from the memory of one fill. */
export interface SharedRead {
  /** The next byte to read. */
  position: number;
  /** The hash of what it has read, once the next chunk is no longer in memory. */
  digester: Digester | undefined;
}

/** The last chunks that a fill has received. Its readers share them in memory, as long as they keep up with it. */
export class RecentChunks implements FetchFeed {
  /** The first byte that the fill received itself. */
  readonly offset: number;
  readonly #digest: Digest;
  readonly #maxBytes: () => number;
  readonly #chunks: Chunk[] = [];
  readonly #shared = new Set<SharedRead>();
  /** Hashes the chunks that are no longer in memory, while a reader may need that. */
  #digester: Digester | undefined;
  #first: number;
  #last: number;
  #outcome: { readonly error?: unknown } | undefined;
  #changed: Promise<void> = Promise.resolve();
  #wake = (): void => {};

  /** `maxBytes`: the limit on the chunks in memory. */
  constructor(digest: Digest, offset: number, maxBytes: () => number) {
    this.offset = offset;
    this.#digest = digest;
    this.#maxBytes = maxBytes;
    this.#first = offset;
    this.#last = offset;
    this.#renew();
  }

  push(bytes: Uint8Array): void {
    this.#chunks.push({ at: this.#last, bytes });
    this.#last += bytes.byteLength;
    while (this.#last - this.#first > this.#maxBytes() && this.#chunks.length > 1) this.#removeFirst();
    this.#change();
  }

  end(): void {
    this.#outcome = {};
    this.#change();
  }

  fail(error: unknown): void {
    this.#outcome = { error };
    this.#change();
  }

  /** Returns whether the byte at `position` is in memory, or the next one to arrive. */
  has(position: number): boolean {
    return position >= this.#first && position <= this.#last;
  }

  /** Starts to read the blob from its first byte. Returns undefined if that is not in memory. */
  share(): SharedRead | undefined {
    if (this.offset > 0 || this.#first > 0) return undefined;
    const read: SharedRead = { position: 0, digester: undefined };
    this.#shared.add(read);
    return read;
  }

  drop(read: SharedRead): void {
    this.#shared.delete(read);
  }

  /** Returns the hash of what the reader has read. It has to hash the rest itself. */
  leave(read: SharedRead): Digester {
    this.drop(read);
    if (read.digester !== undefined) return read.digester;
    const digester = this.#digester?.copy() ?? createDigester(digestAlgorithm(this.#digest));
    for (const { at, bytes } of this.#chunks) if (at < read.position) digester.update(bytes);
    return digester;
  }

  /**
   * Waits for the chunk at `position`. Returns `ended` after the last one, when the blob is verified and stored, and `removed` if the chunk is
   * no longer in memory.
   * @throws what the fill failed with
   */
  async next(position: number, signal: AbortSignal | undefined): Promise<Uint8Array | "ended" | "removed"> {
    while (position === this.#last) {
      if (this.#outcome === undefined) await untilAborted(this.#changed, signal);
      else if ("error" in this.#outcome) throw this.#outcome.error;
      else return "ended";
    }
    return this.has(position) ? this.#chunkAt(position) : "removed";
  }

  #chunkAt(position: number): Uint8Array {
    let low = 0;
    for (let high = this.#chunks.length; high - low > 1; ) {
      const middle = (low + high) >> 1;
      if ((this.#chunks[middle]?.at ?? 0) <= position) low = middle;
      else high = middle;
    }
    const { at, bytes } = this.#chunks[low] as Chunk;
    return bytes.subarray(position - at);
  }

  #removeFirst(): void {
    const removed = this.#chunks.shift();
    if (removed === undefined) return;
    for (const read of this.#shared) {
      if (read.position > removed.at) continue;
      read.digester = this.#digester?.copy() ?? createDigester(digestAlgorithm(this.#digest));
      this.#shared.delete(read);
    }
    // No more readers can begin to share.
    if (this.#shared.size === 0) this.#digester = undefined;
    else {
      this.#digester ??= createDigester(digestAlgorithm(this.#digest));
      this.#digester.update(removed.bytes);
    }
    this.#first = removed.at + removed.bytes.byteLength;
  }

  #change(): void {
    this.#wake();
    this.#renew();
  }

  #renew(): void {
    this.#changed = new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}
