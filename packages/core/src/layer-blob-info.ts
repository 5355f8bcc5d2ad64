import type { Cancellable } from "./cancellable.js";
import type { Digest } from "./digest.js";
import type { LayerLocator } from "./layer-locator.js";
import type { RegistryRef } from "./ref.js";

/** Provides the known locations of blobs. */
export interface SourceProvider {
  /** Returns the known references by digest, without `docker://`; other transports are included. */
  getSources(options?: Cancellable): Promise<Map<Digest, string[]>>;
}

/** Selects the transport; with `matchRegistry: false` the registry itself does not matter. */
const anyRegistry: RegistryRef = { transport: "docker", registry: "registry.invalid", repository: "any" };

/** Looks up the known locations of some layers. A layer without known locations has an empty list. */
export class LayerBlobInfo implements SourceProvider {
  readonly #layerDigests: readonly Digest[];
  readonly #locator: LayerLocator;
  readonly #max: number | undefined;

  /** @param options.max the maximum number of references for each layer; default: all */
  constructor(
    layerDigests: Iterable<Digest>,
    locator: LayerLocator,
    options: { readonly max?: number | undefined } = {},
  ) {
    this.#layerDigests = [...layerDigests];
    this.#locator = locator;
    this.#max = options.max;
  }

  /** Returns the references in the order of the digests, newest first. */
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
