import { MoteError, type VerifyOptions, type VerifyReport } from "@mote/core";
import type { BlobStore } from "../blobs/blob-store.js";
import { storedBlobs } from "./blob-table.js";

const defaultConcurrency = 4;

/** Hashes every blob again, several at a time, and quarantines damaged ones. */
export async function verifyBlobs(store: BlobStore, options: VerifyOptions): Promise<VerifyReport> {
  const { concurrency = defaultConcurrency, keepDamaged = false, signal, skip, onProgress } = options;
  if (!Number.isInteger(concurrency) || concurrency < 1)
    throw new TypeError("concurrency must be a whole number from 1");
  signal?.throwIfAborted();
  const report = {
    motes: 0,
    bytes: 0,
    damaged: [] as VerifyReport["damaged"][number][],
    failed: [] as VerifyReport["failed"][number][],
  };
  const blobs = storedBlobs(store, signal);
  const work = async () => {
    for (let next = await blobs.next(); !next.done; next = await blobs.next()) {
      const { digest } = next.value;
      if (skip?.(digest)) continue;
      try {
        const blob = await store.open(digest);
        if (blob === undefined) continue;
        try {
          const { size } = blob.stats;
          if (!(await store.rehash(digest, blob, signal))) {
            const setAsideAs = keepDamaged ? undefined : await store.quarantine(digest, blob.stats);
            report.damaged.push({ digest, size, ...(setAsideAs === undefined ? {} : { setAsideAs }) });
          }
          report.motes++;
          report.bytes += size;
        } finally {
          await store.calls.close(blob.fd);
        }
      } catch (error) {
        signal?.throwIfAborted();
        report.failed.push({ digest, reason: MoteError.isInstance(error) ? error.code : "MOTE_IO" });
      }
      onProgress?.({ digest, motes: report.motes, bytes: report.bytes });
    }
  };
  try {
    await Promise.all(Array.from({ length: concurrency }, work));
  } finally {
    await blobs.return();
  }
  return report;
}
