import type { Digest } from "@mote/core";
import { type BlobStore, corruptError, type OpenBlob } from "../blobs/blob-store.js";
import { isUnreadable } from "../disk/file-error.js";

/**
 * What to read in the place of a damaged blob. Once bytes of it are handed out it is too late for that, so a blob that changed since
 * it was verified is hashed before. Undefined where it is sound; else it is set aside, or left where it cannot be read, and its descriptor closed.
 * @throws MOTE_CORRUPT or MOTE_IO where nobody else has it
 */
export async function fallbackOnDamage<T>(
  store: BlobStore,
  digest: Digest,
  blob: OpenBlob,
  from: {
    readonly signal: AbortSignal | undefined;
    readonly elsewhere: () => Promise<T | undefined>;
    readonly onClose: (() => Promise<void>) | undefined;
  },
): Promise<T | undefined> {
  if (store.isUnchanged(digest, blob)) return undefined;
  let isSound = false;
  let reason: unknown;
  try {
    isSound = await store.isStillSound(digest, blob, from.signal);
    if (isSound) return undefined;
    await store.setAside(digest, blob.stats);
    reason = corruptError(digest, store.folder.blobPath(digest));
  } catch (error) {
    if (!isUnreadable(error)) throw error;
    store.logger.warn("a blob cannot be read, and is read from the fallback", { digest, error });
    reason = error;
  } finally {
    if (!isSound) await store.calls.close(blob.fd);
    if (!isSound) await from.onClose?.();
  }
  const other = await from.elsewhere();
  if (other === undefined) throw reason;
  return other;
}
