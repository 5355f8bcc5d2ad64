import {
  type Cancellable,
  type Digest,
  hasCode,
  isManifestType,
  type MoteCache,
  MoteError,
  maxManifestBytes,
  readMote,
  sniffManifestType,
} from "@mote/core";

/** Rejects cached content that is not a valid manifest. @throws MOTE_INVALID_MANIFEST */
export async function assertNoBlob(cache: MoteCache, digest: Digest, { signal }: Cancellable): Promise<void> {
  const info = await cache.find(digest, { signal });
  if (info === undefined || isManifestType(info.mediaType)) return;
  if (info.size <= maxManifestBytes) {
    try {
      sniffManifestType(await readMote(cache, digest, { maxBytes: maxManifestBytes, countsAsUse: false, signal }));
      return;
    } catch (error) {
      // The transfer detects and repairs damage.
      if (!hasCode(error, "MOTE_INVALID_MANIFEST")) return;
    }
  }
  const message = `${digest} is a blob, not an image, an index or an artifact; read it with \`mote cat\``;
  throw new MoteError("MOTE_INVALID_MANIFEST", message, { details: { digest } });
}
