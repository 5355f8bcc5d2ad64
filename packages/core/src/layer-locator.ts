import { type BlobInfoCache, LAYER_SCOPE } from "./blob-info-cache.js";
import type { Cancellable } from "./cancellable.js";
import type { Descriptor } from "./descriptor.js";
import type { Digest } from "./digest.js";
import type { Ref, RefCodec } from "./ref.js";

export interface LocateOptions extends Cancellable {
  /** Only references on the destination's own registry: a mount works nowhere else. */
  readonly matchRegistry: boolean;
  /** At most this many, counted after what does not fit is left out. Default: all. */
  readonly max?: number | undefined;
}

/**
 * Remembers at which references a layer was seen, and finds them again. A layer is what a manifest lists, perhaps compressed or
 * encrypted; no other form of its content is offered in its place, as the manifest names just this one.
 *
 * A layer is recorded under the transport that the codec gives for the reference, in the scope `LAYER_SCOPE`, and its location
 * is the reference with its scheme.
 */
export class LayerLocator {
  readonly #bic: BlobInfoCache;
  readonly #refCodec: RefCodec;

  constructor(bic: BlobInfoCache, refCodec: RefCodec) {
    this.#bic = bic;
    this.#refCodec = refCodec;
  }

  /**
   * Only for a layer that was verified here, or that the source itself has just confirmed to hold.
   * @throws MOTE_INVALID_REFERENCE, and what the blob-info cache throws
   */
  async recordLayerSource(
    descriptor: Pick<Descriptor, "digest">,
    sourceRef: Ref | string,
    options: Cancellable = {},
  ): Promise<void> {
    const location = this.#withScheme(sourceRef);
    const transport = this.#refCodec.transport(location);
    await this.#bic.recordKnownLocation(transport, LAYER_SCOPE, descriptor.digest, location, options);
  }

  /** The layer is no longer to be had there. Does nothing where the blob-info cache cannot forget. @throws as `recordLayerSource` */
  async forgetLayerSource(
    descriptor: Pick<Descriptor, "digest">,
    sourceRef: Ref | string,
    options: Cancellable = {},
  ): Promise<void> {
    const location = this.#withScheme(sourceRef);
    const transport = this.#refCodec.transport(location);
    await this.#bic.forgetLocation?.(transport, LAYER_SCOPE, descriptor.digest, location, options);
  }

  /**
   * Where the layer is known to be, newest first, among places of the destination's transport. A location that is no reference
   * is left out, and so is one that means the same as a newer one.
   * @throws MOTE_INVALID_REFERENCE for `destRef`, and what the blob-info cache throws
   */
  locateLayer(descriptor: Pick<Descriptor, "digest">, destRef: Ref | string, options: LocateOptions): Promise<Ref[]> {
    return this.locateLayerDigest(descriptor.digest, destRef, options);
  }

  /** As `locateLayer`, for who has no descriptor. */
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
      const ref = location === undefined ? undefined : this.#parseRecorded(location);
      if (ref === undefined || (matchRegistry && !sameRegistry(ref, destination))) continue;
      const text = this.#withScheme(ref);
      if (!located.has(text)) located.set(text, ref);
    }
    return [...located.values()];
  }

  /** The reference as text that is read as the same again: without `docker://`, while other transports and `http://` stay. */
  format(ref: Ref): string {
    return this.#refCodec.format(ref);
  }

  #parse(ref: Ref | string): Ref {
    return typeof ref === "string" ? this.#refCodec.parse(ref) : ref;
  }

  #parseRecorded(location: string): Ref | undefined {
    try {
      return this.#refCodec.parse(location);
    } catch {
      return undefined;
    }
  }

  #withScheme(ref: Ref | string): string {
    return this.#refCodec.format(this.#parse(ref), { scheme: true });
  }
}

function sameRegistry(ref: Ref, destination: Ref): boolean {
  return ref.transport === "docker" && destination.transport === "docker" && ref.registry === destination.registry;
}
