import type { Cancellable } from "./cancellable.js";
import type { Digest } from "./digest.js";
import type { LayerLocator } from "./layer-locator.js";
import type { RegistryRef } from "./ref.js";

/** Tells where blobs can be had. */
export interface SourceProvider {
  /** For each digest the references where it is known to be: without `docker://`, while other transports keep theirs. */
  getSources(options?: Cancellable): Promise<Map<Digest, string[]>>;
}

/** Stands for every registry: layers are located by transport, and none of them is matched against this one. */
const anyRegistry: RegistryRef = { transport: "docker", registry: "registry.invalid", repository: "any" };

/** What is known of the places of some layers. A layer without a known place has an empty list. */
export class LayerBlobInfo implements SourceProvider {
  readonly #layerDigests: readonly Digest[];
  readonly #locator: LayerLocator;
  readonly #max: number | undefined;

  /** `max`: references for each layer at most. Default: all. */
  constructor(
    layerDigests: Iterable<Digest>,
    locator: LayerLocator,
    options: { readonly max?: number | undefined } = {},
  ) {
    this.#layerDigests = [...layerDigests];
    this.#locator = locator;
    this.#max = options.max;
  }

  /** In the order of the digests, newest reference first. */
  async getSources(options: Cancellable = {}): Promise<Map<Digest, string[]>> {
    const sources = new Map<Digest, string[]>();
    for (const digest of this.#layerDigests) {
      const refs = await this.#locator.locateLayerDigest(digest, anyRegistry, {
        matchRegistry: false,
        max: this.#max,
        signal: options.signal,
      });
      sources.set(digest, [...new Set(refs.map((ref) => this.#locator.format(ref)))]);
    }
    return sources;
  }
}
