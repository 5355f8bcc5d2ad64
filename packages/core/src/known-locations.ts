import { type BlobInfoCache, LAYER_SCOPE, UNKNOWN_TRANSFORMER } from "./blob-info-cache.js";
import type { Cancellable } from "./cancellable.js";
import type { Digest } from "./digest.js";
import type { Ref, RefCodec } from "./ref.js";

/** Whether a registry would take the blob from the place by a mount (distribution-spec, "Mounting a blob from another repository"). */
export type MountVerdict =
  /** Another repository of the same registry: the mount is tried. */
  | "mount"
  /** The very repository: nothing has to move. */
  | "there"
  /** Somewhere else: the bytes have to be sent. */
  | "send";

/** Where a blob was seen. */
export interface KnownLocation {
  readonly ref: Ref;
  /** Unix milliseconds. */
  readonly seenMs?: number;
  /** Only where a destination was given. */
  readonly verdict?: MountVerdict;
}

/** The same content in another form. */
export interface KnownForm {
  readonly digest: Digest;
  /** How it was made, such as `gzip`; `untransformed` for the plain form, `unknown` where that is not known. */
  readonly transformerName: string;
  /** Where it was seen, newest first. */
  readonly places: readonly KnownLocation[];
}

export interface KnownLocations {
  readonly digest: Digest;
  /** Newest first. */
  readonly places: readonly KnownLocation[];
  /** The plain form's digest, where it is known; the blob's own where it is plain. */
  readonly untransformed?: Digest;
  readonly otherForms: readonly KnownForm[];
}

export interface KnownLocationsOptions extends Cancellable {
  /** What mounts are judged for. */
  readonly destination?: Ref | undefined;
}

/** All that is known of a blob: where it was seen, at any kind of place, and in which other forms. @throws what the blob-info cache throws */
export async function knownLocations(
  bic: BlobInfoCache,
  refCodec: RefCodec,
  digest: Digest,
  options: KnownLocationsOptions = {},
): Promise<KnownLocations> {
  const { destination, signal } = options;
  const forms = new Map<Digest, { transformerName: string; places: Map<string, KnownLocation> }>();
  for (const transport of refCodec.transports) {
    const asked = { canSubstitute: true, includeUnknownLocations: true, signal };
    for (const found of await bic.candidateLocations(transport, LAYER_SCOPE, digest, asked)) {
      const form = forms.get(found.digest) ?? { transformerName: UNKNOWN_TRANSFORMER, places: new Map() };
      forms.set(found.digest, form);
      form.transformerName = found.transformerName;
      const ref = found.location === undefined ? undefined : parseRecorded(refCodec, found.location);
      if (ref === undefined) continue;
      // A blob is in a repository, under whatever tag it was met there.
      const text =
        ref.transport === "docker" ? `${ref.registry}/${ref.repository}` : refCodec.format(ref, { scheme: true });
      if ((form.places.get(text)?.seenMs ?? -1) >= (found.lastSeenMs ?? 0)) continue;
      form.places.set(text, {
        ref,
        ...(found.lastSeenMs === undefined ? {} : { seenMs: found.lastSeenMs }),
        ...(destination === undefined ? {} : { verdict: mountVerdict(ref, destination) }),
      });
    }
  }
  const untransformed = await bic.untransformedDigest(digest, { signal });
  if (untransformed !== undefined && !forms.has(untransformed)) {
    forms.set(untransformed, { transformerName: UNKNOWN_TRANSFORMER, places: new Map() });
  }
  const otherForms = [...forms].filter(([form]) => form !== digest);
  return {
    digest,
    places: newestFirst(forms.get(digest)?.places),
    ...(untransformed === undefined ? {} : { untransformed }),
    otherForms: otherForms.map(([form, { transformerName, places }]) => ({
      digest: form,
      transformerName,
      places: newestFirst(places),
    })),
  };
}

/** What the transfer engine would do at `destination` about a blob that is at `place`. */
export function mountVerdict(place: Ref, destination: Ref): MountVerdict {
  if (place.transport !== "docker" || destination.transport !== "docker") return "send";
  if (place.registry !== destination.registry) return "send";
  return place.repository === destination.repository ? "there" : "mount";
}

function newestFirst(places: ReadonlyMap<string, KnownLocation> | undefined): KnownLocation[] {
  return [...(places?.values() ?? [])].sort((one, other) => (other.seenMs ?? 0) - (one.seenMs ?? 0));
}

function parseRecorded(refCodec: RefCodec, location: string): Ref | undefined {
  try {
    return refCodec.parse(location);
  } catch {
    return undefined;
  }
}
