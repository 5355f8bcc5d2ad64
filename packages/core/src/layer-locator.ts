import { type BlobInfoCache, LAYER_SCOPE } from "./blob-info-cache.js";
import type { Cancellable } from "./cancellable.js";
import type { Descriptor } from "./descriptor.js";
import type { Digest } from "./digest.js";
import { parseRefIfValid, type Ref, type RefCodec } from "./ref.js";

export interface LocateOptions extends Cancellable {
  /** Whether to return only references on the destination's registry, where a mount is possible. */
  readonly matchRegistry: boolean;
  /** The maximum number of references, counted after filtering. Default: all. */
  readonly max?: number | undefined;
}

/**
 * Records and finds the references where a layer was seen. Other forms of its content are not returned, because the manifest lists this
 * digest. Layers are recorded in the scope `LAYER_SCOPE`, under the codec's transport of the reference, with the reference and its scheme as
 * the location.
 */
export class LayerLocator {
  readonly #bic: BlobInfoCache;
  readonly #refCodec: RefCodec;

  constructor(bic: BlobInfoCache, refCodec: RefCodec) {
    this.#bic = bic;
    this.#refCodec = refCodec;
  }

  /**
   * Records a location of a layer. The layer must have been verified here, or confirmed by the location.
   * @throws MOTE_INVALID_REFERENCE, and what the blob-info cache throws
   */
  async recordLayerSource(
    descriptor: Pick<Descriptor, "digest">,
    sourceRef: Ref | string,
    options: Cancellable = {},
  ): Promise<void> {
    await this.#bic.recordKnownLocation(...this.#recordOf(descriptor, sourceRef), options);
  }

  /** Removes a location, if the blob-info cache supports it. @throws as `recordLayerSource` */
  async removeLayerSource(
    descriptor: Pick<Descriptor, "digest">,
    sourceRef: Ref | string,
    options: Cancellable = {},
  ): Promise<void> {
    await this.#bic.removeKnownLocation?.(...this.#recordOf(descriptor, sourceRef), options);
  }

  /**
   * Returns the known references of a layer with the destination's transport, newest first. Invalid and duplicate locations are omitted.
   * @throws MOTE_INVALID_REFERENCE for `destRef`, and what the blob-info cache throws
   */
  locateLayer(descriptor: Pick<Descriptor, "digest">, destRef: Ref | string, options: LocateOptions): Promise<Ref[]> {
    return this.locateLayerDigest(descriptor.digest, destRef, options);
  }

  /** As `locateLayer`, for a digest. */
  async locateLayerDigest(digest: Digest, destRef: Ref | string, options: LocateOptions): Promise<Ref[]> {
    const { matchRegistry, max = Number.POSITIVE_INFINITY, signal } = options;
    const destination = this.#parse(destRef);
    const transport = this.#refCodec.transport(this.#withScheme(destination));
    const candidates = await this.#bic.candidateLocations(transport, LAYER_SCOPE, digest, {
      canSubstitute: false,
      signal,
    });
    const located = new Map<string, Ref>();
    for (const { location } of candidates) {
      if (located.size >= max) break;
      const ref = location === undefined ? undefined : parseRefIfValid(this.#refCodec, location);
      if (ref === undefined || (matchRegistry && !sameRegistry(ref, destination))) continue;
      const text = this.#withScheme(ref);
      if (!located.has(text)) located.set(text, ref);
    }
    return [...located.values()];
  }

  /** Formats a reference without `docker://`; other transports and `http://` are included. */
  format(ref: Ref): string {
    return this.#refCodec.format(ref);
  }

  #recordOf({ digest }: Pick<Descriptor, "digest">, sourceRef: Ref | string) {
    const location = this.#withScheme(sourceRef);
    return [this.#refCodec.transport(location), LAYER_SCOPE, digest, location] as const;
  }

  #parse(ref: Ref | string): Ref {
    return typeof ref === "string" ? this.#refCodec.parse(ref) : ref;
  }

  #withScheme(ref: Ref | string): string {
    return this.#refCodec.format(this.#parse(ref), { scheme: true });
  }
}

function sameRegistry(ref: Ref, destination: Ref): boolean {
  return ref.transport === "docker" && destination.transport === "docker" && ref.registry === destination.registry;
}
