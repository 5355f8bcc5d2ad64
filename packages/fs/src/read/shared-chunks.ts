import type { Digest } from "@mote/core";
import type { OpenBlob } from "../blobs/open-blob.js";
import { asynchronousCalls } from "../disk/file-calls.js";

/** Maximum total size of the chunks in memory. */
const budgetBytes = 16 * 1024 * 1024;
const largestChunk = 512 * 1024;
const smallestChunk = 32 * 1024;

/**
 * Chunks of verified blobs, for readers that read the same blob at about the same time: each chunk is read once while it is in memory.
 * Chunks must not be changed.
 */
export class SharedChunks {
  /** In the order of their last use. */
  readonly #chunks = new Map<string, Promise<Uint8Array>>();
  readonly #readers = new Map<Digest, number>();
  #bytes = 0;

  /** Counts a reader of the blob. @returns the size of its chunks: the more blobs are read, the smaller */
  acquire(digest: Digest): number {
    this.#readers.set(digest, (this.#readers.get(digest) ?? 0) + 1);
    const share = budgetBytes / (2 * this.#readers.size);
    return Math.max(smallestChunk, Math.min(largestChunk, 2 ** Math.floor(Math.log2(share))));
  }

  release(digest: Digest): void {
    const others = (this.#readers.get(digest) ?? 0) - 1;
    if (others > 0) this.#readers.set(digest, others);
    else this.#readers.delete(digest);
  }

  /** Reads bytes of the open blob, at a multiple of the size of the chunks. The result is shorter at the end of the file. */
  read(digest: Digest, { fd, stats }: OpenBlob, position: number, chunkBytes: number): Promise<Uint8Array> {
    // A file that was changed while it was read, and then repaired, must not be read from memory.
    const key = `${digest} ${stats.ino} ${stats.mtimeMs} ${position} ${chunkBytes}`;
    const found = this.#chunks.get(key);
    if (found !== undefined) {
      this.#chunks.delete(key);
      this.#chunks.set(key, found);
      return found;
    }
    const reading = readChunk(fd, position, chunkBytes);
    this.#chunks.set(key, reading);
    this.#bytes += chunkBytes;
    reading.catch(() => this.#remove(key, chunkBytes));
    for (const [oldest] of this.#chunks) {
      if (this.#bytes <= budgetBytes) break;
      this.#remove(oldest, Number(oldest.slice(oldest.lastIndexOf(" "))));
    }
    return reading;
  }

  #remove(key: string, chunkBytes: number): void {
    if (this.#chunks.delete(key)) this.#bytes -= chunkBytes;
  }
}

async function readChunk(fd: number, position: number, length: number): Promise<Uint8Array> {
  const chunk = new Uint8Array(Buffer.allocUnsafeSlow(length).buffer);
  return chunk.subarray(0, await asynchronousCalls.read(fd, chunk, position));
}
