import {
  type Cancellable,
  type Descriptor,
  type Digest,
  findReferrers,
  isNotFound,
  type Manifest,
  MoteError,
  type MoteSource,
  maxManifestBytes,
  parseManifest,
  readMote,
} from "@mote/core";

/**
 * Lists what refers to `subject` among these manifests. Only what is stored and can be read counts: of a referrer of which nothing is
 * known it cannot be told.
 * @throws MOTE_TOO_LARGE with the bound that was met
 */
export async function listReferrers(
  source: MoteSource,
  roots: readonly Descriptor[],
  subject: Digest,
  options: Cancellable,
): Promise<readonly Descriptor[]> {
  const found = await findReferrers(roots, (descriptor) => readManifest(source, descriptor, options), subject);
  return found.get(subject) ?? [];
}

async function readManifest(
  source: MoteSource,
  descriptor: Descriptor,
  options: Cancellable,
): Promise<Manifest | undefined> {
  try {
    // To look through manifests is not to use them.
    const bounds = { ...options, maxBytes: maxManifestBytes, countsAsUse: false };
    return parseManifest(await readMote(source, descriptor.digest, bounds), descriptor.mediaType);
  } catch (error) {
    const isNone = isNotFound(error) || (MoteError.isInstance(error) && error.code === "MOTE_INVALID_MANIFEST");
    if (isNone) return undefined;
    throw error;
  }
}
