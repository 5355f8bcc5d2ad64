import { type BlobInfoCache, LAYER_SCOPE, UNKNOWN_TRANSFORMER } from "./blob-info-cache.js";
import type { Cancellable } from "./cancellable.js";
import type { Digest } from "./digest.js";
import { parseRefIfValid, type Ref, type RefCodec } from "./ref.js";

/** How a blob at a location gets to a destination (distribution-spec, "Mounting a blob from another repository"). */
export type MountVerdict =
  /** From another repository of the same registry: a mount is attempted. */
  | "mount"
  /** It is the same repository. */
  | "there"
  /** The bytes have to be sent. */
  | "send";

/** Where a blob was seen. */
export interface KnownLocation {
  readonly ref: Ref;
  /** Unix milliseconds. */
  readonly seenMs?: number;
  /** Set if a destination was given. */
  readonly verdict?: MountVerdict;
}

/** The same content in another form. */
export interface KnownForm {
  readonly digest: Digest;
  /** How it was made, such as `gzip`, or `untransformed` or `unknown`. */
  readonly transformerName: string;
  /** Newest first. */
  readonly locations: readonly KnownLocation[];
}

export interface KnownLocations {
  readonly digest: Digest;
  /** Newest first. */
  readonly locations: readonly KnownLocation[];
  /** The untransformed digest, if known; it may be the blob's own. */
  readonly untransformed?: Digest;
  readonly otherForms: readonly KnownForm[];
}

export interface KnownLocationsOptions extends Cancellable {
  /** Sets the verdicts. */
  readonly destination?: Ref | undefined;
}

/** Returns the known locations and other forms of a blob, over all transports. @throws what the blob-info cache throws */
export async function knownLocations(
  bic: BlobInfoCache,
  refCodec: RefCodec,
  digest: Digest,
  options: KnownLocationsOptions = {},
): Promise<KnownLocations> {
  const { destination, signal } = options;
  const forms = new Map<Digest, { transformerName: string; locations: Map<string, KnownLocation> }>();
  for (const transport of refCodec.transports) {
    const query = { canSubstitute: true, includeUnknownLocations: true, signal };
    for (const found of await bic.candidateLocations(transport, LAYER_SCOPE, digest, query)) {
      const form = forms.get(found.digest) ?? { transformerName: UNKNOWN_TRANSFORMER, locations: new Map() };
      forms.set(found.digest, form);
      form.transformerName = found.transformerName;
      const ref = found.location === undefined ? undefined : parseRefIfValid(refCodec, found.location);
      if (ref === undefined) continue;
      // Blobs belong to a repository, whatever the tag of the recorded reference.
      const text =
        ref.transport === "docker" ? `${ref.registry}/${ref.repository}` : refCodec.format(ref, { scheme: true });
      if ((form.locations.get(text)?.seenMs ?? -1) >= (found.lastSeenMs ?? 0)) continue;
      form.locations.set(text, {
        ref,
        ...(found.lastSeenMs === undefined ? {} : { seenMs: found.lastSeenMs }),
        ...(destination === undefined ? {} : { verdict: mountVerdict(ref, destination) }),
      });
    }
  }
  const untransformed = await bic.untransformedDigest(digest, { signal });
  if (untransformed !== undefined && !forms.has(untransformed)) {
    forms.set(untransformed, { transformerName: UNKNOWN_TRANSFORMER, locations: new Map() });
  }
  const otherForms = [...forms].filter(([form]) => form !== digest);
  return {
    digest,
    locations: newestFirst(forms.get(digest)?.locations),
    ...(untransformed === undefined ? {} : { untransformed }),
    otherForms: otherForms.map(([form, { transformerName, locations }]) => ({
      digest: form,
      transformerName,
      locations: newestFirst(locations),
    })),
  };
}

/** Returns how a transfer gets a blob at `location` to `destination`. */
export function mountVerdict(location: Ref, destination: Ref): MountVerdict {
  if (location.transport !== "docker" || destination.transport !== "docker") return "send";
  if (location.registry !== destination.registry) return "send";
  return location.repository === destination.repository ? "there" : "mount";
}

function newestFirst(locations: ReadonlyMap<string, KnownLocation> | undefined): KnownLocation[] {
  return [...(locations?.values() ?? [])].sort((one, other) => (other.seenMs ?? 0) - (one.seenMs ?? 0));
}
