import type { Graph } from "./graph.js";
import type { Job } from "./job.js";
import type { LoadedManifest } from "./manifest-loader.js";

/** Puts the manifests into the cache and to the destination, each after everything that it names. */
export async function putManifests(job: Job, graph: Graph): Promise<void> {
  for (const group of graph.manifests) {
    await job.forEach(group, async (loaded) => {
      if (loaded.from !== "cache") await putIntoCache(job, loaded);
      await job.destination?.manifest(loaded.descriptor, loaded.bytes, { signal: job.ownSignal() });
    });
  }
}

async function putIntoCache(job: Job, { descriptor, bytes }: LoadedManifest): Promise<void> {
  const { cache, destination } = job;
  const signal = job.ownSignal();
  const { digest, mediaType, size } = descriptor;
  try {
    await cache.createMote(digest, mediaType, size, { signal });
    await using writer = await cache.moteWriter(digest, { signal });
    await writer.write(bytes);
    await writer.close();
  } catch (error) {
    signal.throwIfAborted();
    if (destination === undefined) throw error;
    job.warn(`the manifest ${digest} cannot be put into the cache`, error, digest);
  }
}
