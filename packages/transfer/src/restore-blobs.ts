import type { PlannedBlob } from "./graph.js";
import type { Job } from "./job.js";

/** Fetches the blobs again that were removed from the cache while the lease had lapsed. */
export async function restoreBlobs(
  job: Job,
  blobs: readonly PlannedBlob[],
  move: (blobs: readonly PlannedBlob[]) => Promise<void>,
): Promise<void> {
  const { cache, destination, signal } = job;
  job.bypassCache();
  // The destination has the blobs already; `putManifests` checks the cache before it stores a manifest.
  if (destination !== undefined) return;
  const removed: PlannedBlob[] = [];
  for (const blob of blobs) if (!(await cache.moteExists(blob.descriptor.digest, { signal }))) removed.push(blob);
  if (removed.length > 0)
    job.notice(
      `other processes removed ${removed.length} of ${blobs.length} blobs from the cache; fetching them again`,
    );
  await move(removed);
}
