import { formatLocation, messageOf } from "@mote/core";
import type { Job } from "./job.js";
import type { LoadedManifest } from "./manifest-loader.js";

/**
 * Records that the cached manifests belong to the repositories of the source and the destination. Errors are logged: without a record, a
 * server does not find a manifest by its digest.
 */
export async function recordMembership(job: Job, manifests: readonly LoadedManifest[]): Promise<void> {
  const { membership } = job.cache;
  if (membership === undefined) return;
  const refs = [job.source.ref, job.destination?.ref];
  const repositories = new Set(refs.flatMap((ref) => (ref?.transport === "docker" ? formatLocation(ref) : [])));
  for (const repository of repositories) {
    for (const { descriptor } of manifests) {
      if (!job.inCache.has(descriptor.digest)) continue;
      try {
        await membership.record(repository, descriptor.digest, { signal: job.signal });
      } catch (error) {
        job.signal.throwIfAborted();
        job.logger.warn(`cannot record the manifests of ${repository}: ${messageOf(error)}`, { repository, error });
        break;
      }
    }
  }
}
