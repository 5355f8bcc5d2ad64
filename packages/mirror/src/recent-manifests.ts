const maxBytes = 16 * 1024 * 1024;
/** Milliseconds after which a manifest is read from the cache again, which counts as a use of it. */
const maxAgeMs = 30_000;

interface Remembered {
  readonly bytes: Uint8Array;
  readonly untilMs: number;
}

/** The manifests that were served lately, in memory. */
export class RecentManifests {
  readonly #manifests = new Map<string, Remembered>();
  #bytes = 0;

  get(key: string): Uint8Array | undefined {
    const found = this.#manifests.get(key);
    return found !== undefined && performance.now() < found.untilMs ? found.bytes : undefined;
  }

  set(key: string, bytes: Uint8Array): void {
    this.#remove(key);
    this.#manifests.set(key, { bytes, untilMs: performance.now() + maxAgeMs });
    this.#bytes += bytes.byteLength;
    for (const oldest of this.#manifests.keys()) {
      if (this.#bytes <= maxBytes) return;
      this.#remove(oldest);
    }
  }

  #remove(key: string): void {
    this.#bytes -= this.#manifests.get(key)?.bytes.byteLength ?? 0;
    this.#manifests.delete(key);
  }
}
