import type { Descriptor } from "./descriptor.js";
import { type Manifest, maxManifestBytes, parseManifest } from "./manifest.js";
import type { MoteSource, ReadOptions } from "./mote.js";
import { readMote } from "./read-mote.js";

/**
 * Reads and parses a stored manifest. The media type of the descriptor is used only if the body states none.
 * @throws MOTE_NOT_FOUND · MOTE_CORRUPT · MOTE_TOO_LARGE · MOTE_INVALID_MANIFEST
 */
export async function readManifest(
  source: MoteSource,
  { digest, mediaType }: Pick<Descriptor, "digest"> & Partial<Pick<Descriptor, "mediaType">>,
  options: Pick<ReadOptions, "signal" | "countsAsUse"> = {},
): Promise<Manifest> {
  return parseManifest(await readMote(source, digest, { ...options, maxBytes: maxManifestBytes }), mediaType);
}
