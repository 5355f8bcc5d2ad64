import {
  type Cancellable,
  type Digest,
  isManifestType,
  type MoteCache,
  MoteError,
  maxManifestBytes,
  readMote,
  sniffManifestType,
} from "@mote/core";

/** Refuses content of the cache that is not an image, an index or an artifact: it has no parts that could be moved along. @throws MOTE_INVALID_MANIFEST */
export async function assertNoBlob(cache: MoteCache, digest: Digest, { signal }: Cancellable): Promise<void> {
  const info = await cache.find(digest, { signal });
  if (info === undefined || isManifestType(info.mediaType)) return;
  if (info.size <= maxManifestBytes) {
    try {
      sniffManifestType(await readMote(cache, digest, { maxBytes: maxManifestBytes, countsAsUse: false, signal }));
      return;
    } catch (error) {
      // Damage is found, and repaired, by the transfer.
      if (!MoteError.isInstance(error) || error.code !== "MOTE_INVALID_MANIFEST") return;
    }
  }
  throw new MoteError(
    "MOTE_INVALID_MANIFEST",
    `${digest} is a blob, not an image, an index or an artifact; read it with \`mote cat\``,
    {
      details: { digest },
    },
  );
}
