import {
  type Cancellable,
  type Descriptor,
  type Digest,
  isIndexType,
  isManifestType,
  isNotFound,
  type Manifest,
  MoteError,
  type MoteSource,
  maxManifestBytes,
  parseManifest,
  readMote,
} from "@mote/core";

/**
 * What refers to `subject` among the given manifests, and among those that an index of them lists. Only what is kept whole
 * and readable counts: a referrer of which nothing is known cannot be told.
 */
export async function findReferrers(
  source: MoteSource,
  roots: AsyncIterable<{ readonly descriptor: Descriptor }>,
  subject: Digest,
  options: Cancellable,
): Promise<Descriptor[]> {
  const referrers = new Map<Digest, Descriptor>();
  const seen = new Set<Digest>();
  const look = async (descriptor: Descriptor): Promise<Manifest | undefined> => {
    if (seen.has(descriptor.digest) || !isManifestType(descriptor.mediaType)) return undefined;
    seen.add(descriptor.digest);
    const manifest = await readManifest(source, descriptor, options);
    if (manifest?.subject?.digest === subject) referrers.set(descriptor.digest, describe(descriptor, manifest));
    return manifest;
  };
  for await (const { descriptor } of roots) {
    const manifest = await look(descriptor);
    if (manifest?.kind === "index") for (const child of manifest.manifests) await look(child);
  }
  return [...referrers.values()];
}

async function readManifest(
  source: MoteSource,
  descriptor: Descriptor,
  options: Cancellable,
): Promise<Manifest | undefined> {
  try {
    const bytes = await readMote(source, descriptor.digest, { ...options, maxBytes: maxManifestBytes });
    return parseManifest(bytes, descriptor.mediaType);
  } catch (error) {
    const isNone = isNotFound(error) || (MoteError.isInstance(error) && error.code === "MOTE_INVALID_MANIFEST");
    if (isNone) return undefined;
    throw error;
  }
}

/** distribution-spec, "Listing Referrers": the artifact type is the manifest's, else that of an image manifest's config. */
function describe({ digest, mediaType, size }: Descriptor, manifest: Manifest): Descriptor {
  const fallback = isIndexType(mediaType) || manifest.kind === "index" ? undefined : manifest.config.mediaType;
  const artifactType = manifest.artifactType ?? fallback;
  return {
    mediaType,
    digest,
    size,
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(manifest.annotations === undefined ? {} : { annotations: manifest.annotations }),
  };
}
