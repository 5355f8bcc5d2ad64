import { type Descriptor, isNotFound, type MoteReader } from "@mote/core";
import type { Job } from "./job.js";

/** Returns whether all blobs exist. Assumes so for sources that cannot lack blobs, such as registries. */
export async function allExist(job: Job, blobs: readonly Descriptor[]): Promise<boolean> {
  if (!job.source.mayLackBlobs) return true;
  for (const blob of blobs) if (!(await contentExists(job, blob))) return false;
  return true;
}

/** Returns whether the source, the cache or the destination has the content. */
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
    // The transfer reports any other error.
    if (!isNotFound(error)) return true;
  } finally {
    await reader?.close();
  }
  return (await cache.moteExists(blob.digest, { signal })) || ((await destination?.has(blob, options)) ?? false);
}
