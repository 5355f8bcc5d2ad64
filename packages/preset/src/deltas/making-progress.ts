import type { DeltaProgress } from "./types.js";

/** Counts the work of making deltas in compressed bytes: a layer of the old image is read once, one of the new image twice. */
export class MakingProgress {
  readonly #layers: number;
  readonly #totalBytes: number;
  readonly #onProgress: ((progress: DeltaProgress) => void) | undefined;
  #done = 0;
  #bytes = 0;

  constructor(layers: number, totalBytes: number, onProgress: ((progress: DeltaProgress) => void) | undefined) {
    this.#layers = layers;
    this.#totalBytes = totalBytes;
    this.#onProgress = onProgress;
  }

  /** Returns a function for the number of bytes of a layer that have been read, which counts each of them once. */
  reading(size: number): (bytes: number) => void {
    let counted = 0;
    return (bytes) => {
      const now = Math.max(counted, Math.min(bytes, size));
      this.#bytes += now - counted;
      counted = now;
      this.#report();
    };
  }

  /** Counts a layer of the new image as done. */
  endLayer(): void {
    this.#done++;
    this.#report();
  }

  #report(): void {
    this.#onProgress?.({ done: this.#done, layers: this.#layers, bytes: this.#bytes, totalBytes: this.#totalBytes });
  }
}
