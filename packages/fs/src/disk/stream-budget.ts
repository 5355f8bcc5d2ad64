import { buffersAtOnce } from "./file-chunks.js";

const budgetBytes = 8 * 1024 * 1024;
const largestChunk = 1024 * 1024;
const smallestChunk = 32 * 1024;

/** Buffers shrink as streams grow, so that memory does not follow their number. */
export class StreamBudget {
  #streams = 0;

  /** Bytes of one buffer for one of the streams open now. */
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
