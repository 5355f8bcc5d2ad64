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

/** Lists the stored manifests among `roots` that refer to `subject`. @throws MOTE_TOO_LARGE with the limit */
export async function listReferrers(
  source: MoteSource,
  roots: readonly Descriptor[],
  subject: Digest,
  options: Cancellable,
): Promise<readonly Descriptor[]> {
  const read = async (descriptor: Descriptor) => {
    try {
      return await readManifest(source, descriptor, { ...options, countsAsUse: false });
    } catch (error) {
      const isUnreadable = isNotFound(error) || (MoteError.isInstance(error) && error.code === "MOTE_INVALID_MANIFEST");
      if (isUnreadable) return undefined;
      throw error;
    }
  };
  return (await findReferrers(roots, read, subject)).get(subject) ?? [];
}
