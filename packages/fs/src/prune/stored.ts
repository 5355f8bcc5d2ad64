import { mediaTypes, type StoredMote } from "@mote/core";
import type { BlobStore } from "../blobs/blob-store.js";
import type { ManifestNotes } from "../blobs/manifest-notes.js";
import { notAhead } from "../disk/file-times.js";
import { storedBlobs } from "./blob-table.js";

/** Lists the blobs, with the result of one stat each. */
export async function* listStored(
  store: BlobStore,
  notes: ManifestNotes,
  signal: AbortSignal | undefined,
): AsyncIterable<StoredMote> {
  const manifests = new Set(notes.list());
  for await (const { digest, stats } of storedBlobs(store, signal)) {
    yield {
      digest,
      size: stats.size,
      mediaType: (manifests.has(digest) && notes.textOf(digest)) || mediaTypes.octetStream,
      usedMs: notAhead(stats.atimeMs),
      // Zero if the file system stores no birth time.
      storedMs: stats.birthtimeMs || stats.ctimeMs,
      isVerified: store.isUnchanged(digest, { stats }),
    };
  }
}
