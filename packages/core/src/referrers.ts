import type { Descriptor } from "./descriptor.js";
import { type Digest, digestAlgorithm, digestEncoded } from "./digest.js";
import { MoteError } from "./error.js";
import type { Manifest } from "./manifest.js";
import { manifestChildren } from "./manifest-graph.js";
import { isManifestType } from "./media-type.js";

/** The maximum number of manifests that a search for referrers reads. */
export const maxSearchedManifests = 100_000;

/** The maximum total size of the referrers of a manifest or a search, in bytes, because their annotations are held in memory. */
export const maxReferrersBytes = 64 * 1024 * 1024;

/** Returns whether a manifest refers to `subject`. */
export function refersTo(manifest: Manifest, subject: Digest): boolean {
  return manifest.subject?.digest === subject;
}

/** Returns the artifact type of a manifest, or the media type of its config. */
export function artifactTypeOf(manifest: Manifest): string | undefined {
  if (manifest.artifactType !== undefined && manifest.artifactType !== "") return manifest.artifactType;
  return manifest.kind === "manifest" ? manifest.config?.mediaType : undefined;
}

/** Returns the descriptor of a referrer with its artifact type and annotations (distribution-spec, "Listing Referrers"). */
export function describeReferrer({ mediaType, digest, size }: Descriptor, manifest: Manifest): Descriptor {
  const artifactType = artifactTypeOf(manifest);
  return {
    mediaType,
    digest,
    size,
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(manifest.annotations === undefined ? {} : { annotations: manifest.annotations }),
  };
}

/** Returns the tag of the referrers index of registries without the referrers API (distribution-spec, "Referrers Tag Schema"). */
export function referrersTag(subject: Digest): string {
  return `${digestAlgorithm(subject).slice(0, 32)}-${digestEncoded(subject).slice(0, 64)}`;
}

/** distribution-spec, "Pulling manifests". */
const maxTagLength = 128;

/** Returns the tags of cosign's signatures, attestations and SBOMs of a manifest, or none if the digest is too long for a tag. */
export function cosignTags(subject: Digest): readonly string[] {
  const stem = `${digestAlgorithm(subject)}-${digestEncoded(subject)}`;
  return [`${stem}.sig`, `${stem}.att`, `${stem}.sbom`].filter(({ length }) => length <= maxTagLength);
}

/** Returns whether a tag has the form of `cosignTags`. */
export function isCosignTag(tag: string): boolean {
  return /^(?:sha256|sha384|sha512)-[0-9a-f]{64,128}\.(?:sig|att|sbom)$/.test(tag);
}

/**
 * Finds the manifests with a `subject` among the roots and everything that their indexes list.
 * @param read returns undefined for a manifest that is not stored or not readable
 * @param only finds the referrers of this manifest only
 * @returns the referrers by subject, in the order in which they were found
 * @throws MOTE_TOO_LARGE with the limit · what `read` throws
 */
export async function findReferrers(
  roots: AsyncIterable<Descriptor> | Iterable<Descriptor>,
  read: (descriptor: Descriptor) => Promise<Manifest | undefined>,
  only?: Digest,
): Promise<ReadonlyMap<Digest, readonly Descriptor[]>> {
  const found = new Map<Digest, Descriptor[]>();
  const seen = new Set<Digest>();
  let bytes = 0;
  const search = async (root: Descriptor): Promise<void> => {
    const waiting = [root];
    for (const descriptor of waiting) {
      if ((descriptor === root && !isManifestType(descriptor.mediaType)) || seen.has(descriptor.digest)) continue;
      seen.add(descriptor.digest);
      if (seen.size > maxSearchedManifests) {
        throw new MoteError(
          "MOTE_TOO_LARGE",
          `cannot search for referrers: there are more than ${maxSearchedManifests} manifests`,
          { details: { maxManifests: maxSearchedManifests } },
        );
      }
      const manifest = await read(descriptor);
      if (manifest === undefined) continue;
      for (const child of manifestChildren(manifest).manifests) waiting.push(child);
      const subject = manifest.subject?.digest;
      if (subject === undefined || (only !== undefined && subject !== only)) continue;
      bytes += descriptor.size;
      if (bytes > maxReferrersBytes) {
        throw new MoteError("MOTE_TOO_LARGE", `the referrers have more than ${maxReferrersBytes} bytes`, {
          details: { maxBytes: maxReferrersBytes },
        });
      }
      const list = found.get(subject) ?? [];
      list.push(describeReferrer(descriptor, manifest));
      found.set(subject, list);
    }
  };
  for await (const root of roots) await search(root);
  return found;
}
