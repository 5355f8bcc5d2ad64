import { type Descriptor, isNotFound, type MoteReader } from "@mote/core";
import type { Job } from "./job.js";

/** Tells whether all of these blobs can be moved. A registry accepts no manifest without its blobs, and is not asked. */
export async function allExist(job: Job, blobs: readonly Descriptor[]): Promise<boolean> {
  if (!job.source.mayLackBlobs) return true;
  for (const blob of blobs) if (!(await contentExists(job, blob))) return false;
  return true;
}

/** Tells whether a blob is in the source, the cache or the destination. */
export async function contentExists(job: Job, blob: Descriptor): Promise<boolean> {
  const { source, cache, destination } = job;
  const options = job.callOptions();
  const { signal } = options;
  let reader: MoteReader | undefined;
  try {
    reader = await source.blob(blob, { ...options, verifyOnRead: false });
    return true;
  } catch (error) {
    signal.throwIfAborted();
    // Whatever else is wrong, the transfer of the blob says it.
    if (!isNotFound(error)) return true;
  } finally {
    await reader?.close();
  }
  return (await cache.moteExists(blob.digest, { signal })) || ((await destination?.has(blob, options)) ?? false);
}
