import type { PlannedBlob } from "./graph.js";
import type { Job } from "./job.js";

/** What the cache had, it may have lost: all is looked at again, and what is gone is fetched again. */
export async function restoreBlobs(
  job: Job,
  blobs: readonly PlannedBlob[],
  move: (blobs: readonly PlannedBlob[]) => Promise<void>,
): Promise<void> {
  const { cache, destination, signal } = job;
  job.bypassCache();
  // The destination has what it was sent; whether a manifest is put into the cache is decided by what is there then.
  if (destination !== undefined) return;
  const gone: PlannedBlob[] = [];
  for (const blob of blobs) if (!(await cache.moteExists(blob.descriptor.digest, { signal }))) gone.push(blob);
  if (gone.length > 0)
    job.notice(`${gone.length} of ${blobs.length} blobs were removed from the cache: fetching them again`);
  await move(gone);
}
