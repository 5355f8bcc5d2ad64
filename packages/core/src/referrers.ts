import type { Descriptor } from "./descriptor.js";
import { type Digest, digestAlgorithm, digestEncoded } from "./digest.js";
import { MoteError } from "./error.js";
import type { Manifest } from "./manifest.js";
import { manifestChildren } from "./manifest-graph.js";
import { isManifestType } from "./media-type.js";

/** Manifests that are read in one search for referrers. */
export const maxSearchedManifests = 100_000;

/** Bytes of all referrers of one manifest, or of one search: their descriptors carry their annotations. */
export const maxReferrersBytes = 64 * 1024 * 1024;

/** Returns whether a manifest refers to `subject`. What a registry or a tag lists is a claim, and this is the test. */
export function refersTo(manifest: Manifest, subject: Digest): boolean {
  return manifest.subject?.digest === subject;
}

/** Returns the type that referrers are filtered by: the manifest's own, else that of an image manifest's config. */
export function artifactTypeOf(manifest: Manifest): string | undefined {
  if (manifest.artifactType !== undefined && manifest.artifactType !== "") return manifest.artifactType;
  return manifest.kind === "manifest" ? manifest.config?.mediaType : undefined;
}

/** Returns a referrer as it is listed (distribution-spec, "Listing Referrers"): with its manifest's artifact type and annotations. */
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

/** Returns the tag of the index of referrers, where there is no referrers API (distribution-spec, "Referrers Tag Schema"). */
export function referrersTag(subject: Digest): string {
  return `${digestAlgorithm(subject).slice(0, 32)}-${digestEncoded(subject).slice(0, 64)}`;
}

/** distribution-spec, "Pulling manifests". */
const longestTag = 128;

/** Returns the tags by which cosign's signatures, attestations and SBOMs belong to a manifest: they have no `subject`. None for a digest too long for a tag. */
export function cosignTags(subject: Digest): readonly string[] {
  const stem = `${digestAlgorithm(subject)}-${digestEncoded(subject)}`;
  return [`${stem}.sig`, `${stem}.att`, `${stem}.sbom`].filter(({ length }) => length <= longestTag);
}

/** Returns whether a tag is one of those. */
export function isCosignTag(tag: string): boolean {
  return /^(?:sha256|sha384|sha512)-[0-9a-f]{64,128}\.(?:sig|att|sbom)$/.test(tag);
}

/**
 * Finds what refers to something, by `subject`, among the roots and the manifests that their indexes list, at any depth. An index of
 * referrers under a tag is a root like any other.
 * @param read returns undefined for what is not there or cannot be read as a manifest: of that nothing can be told
 * @param only looks for the referrers of this manifest alone
 * @returns the referrers by their subject, in the order they were found
 * @throws MOTE_TOO_LARGE with the bound that was met · what `read` throws
 */
export async function findReferrers(
  roots: AsyncIterable<Descriptor> | Iterable<Descriptor>,
  read: (descriptor: Descriptor) => Promise<Manifest | undefined>,
  only?: Digest,
): Promise<ReadonlyMap<Digest, readonly Descriptor[]>> {
  const found = new Map<Digest, Descriptor[]>();
  const seen = new Set<Digest>();
  let bytes = 0;
  const look = async (root: Descriptor): Promise<void> => {
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
  for await (const root of roots) await look(root);
  return found;
}
