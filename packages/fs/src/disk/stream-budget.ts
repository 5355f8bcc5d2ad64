import { buffersAtOnce } from "./file-chunks.js";

const budgetBytes = 8 * 1024 * 1024;
const largestChunk = 1024 * 1024;
const smallestChunk = 32 * 1024;

/** Shrinks buffers as the number of streams grows, so that total memory stays bounded. */
export class StreamBudget {
  #streams = 0;

  /** Bytes of each buffer, for the number of open streams. */
  get chunkBytes(): number {
    const share = budgetBytes / (buffersAtOnce * Math.max(1, this.#streams));
    return Math.max(smallestChunk, Math.min(largestChunk, 2 ** Math.floor(Math.log2(share))));
  }

  acquire(): void {
    this.#streams++;
  }

  release(): void {
    this.#streams--;
  }
}
