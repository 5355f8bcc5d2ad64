import { type Cancellable, type Digest, LAYER_SCOPE } from "@mote/core";
import type { Replayed } from "@mote/delta";
import type { Parts } from "../parts.js";

/** Returns the name of the encoder that made a layer once. */
export async function knownEncoder(
  { bic, references }: Parts,
  digest: Digest,
  { signal }: Cancellable,
): Promise<string | undefined> {
  const query = { canSubstitute: false, includeUnknownLocations: true, signal };
  for (const transport of references.codec.transports) {
    const [found] = await bic.candidateLocations(transport, LAYER_SCOPE, digest, query);
    if (found !== undefined) return found.transformerName;
  }
  return undefined;
}

/**
 * Records what was verified: which content a layer has, and how it was made.
 * @param form another blob with the same content
 */
export async function recordEncoder(
  { bic, logger }: Parts,
  digest: Digest,
  { contentDigest, encoder }: Replayed,
  form?: Digest,
): Promise<void> {
  try {
    await bic.recordDigestUntransformedPair(digest, contentDigest);
    if (form !== undefined) await bic.recordDigestUntransformedPair(form, contentDigest);
    await bic.recordDigestTransformerName(digest, encoder);
  } catch (error) {
    logger.debug(`cannot record how ${digest} was made`, { error });
  }
}
