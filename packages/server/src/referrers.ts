import {
  type Cancellable,
  type Descriptor,
  type Digest,
  findReferrers,
  isNotFound,
  MoteError,
  type MoteSource,
  readManifest,
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
  const read = async (descriptor: Descriptor) => {
    try {
      // To look through manifests is not to use them.
      return await readManifest(source, descriptor, { ...options, countsAsUse: false });
    } catch (error) {
      const isNone = isNotFound(error) || (MoteError.isInstance(error) && error.code === "MOTE_INVALID_MANIFEST");
      if (isNone) return undefined;
      throw error;
    }
  };
  return (await findReferrers(roots, read, subject)).get(subject) ?? [];
}
