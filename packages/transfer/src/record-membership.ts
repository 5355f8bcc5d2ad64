import type { Ref } from "@mote/core";
import type { Job } from "./job.js";
import type { LoadedManifest } from "./loaded-manifest.js";

/**
 * Records that the cached manifests belong to the repositories of the source and the destination. Errors are logged: without a record, a
 * server does not find a manifest by its digest.
 */
export async function recordMembership(job: Job, manifests: readonly LoadedManifest[]): Promise<void> {
  const { membership } = job.cache;
  if (membership === undefined) return;
  const repositories = new Set([job.source.ref, job.destination?.ref].flatMap((ref) => repositoryOf(ref) ?? []));
  for (const repository of repositories) {
    for (const { descriptor } of manifests) {
      if (!job.inCache.has(descriptor.digest)) continue;
      try {
        await membership.record(repository, descriptor.digest, { signal: job.ownSignal() });
      } catch (error) {
        job.signal.throwIfAborted();
        job.logger.warn(`cannot record the manifests of ${repository}: ${text(error)}`, { repository, error });
        break;
      }
    }
  }
}

function repositoryOf(ref: Ref | undefined): string | undefined {
  return ref?.transport === "docker" ? `${ref.registry}/${ref.repository}` : undefined;
}

function text(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
