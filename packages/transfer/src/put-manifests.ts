import { type Digest, MoteError, manifestChildren, writeMote } from "@mote/core";
import type { Root } from "./find-roots.js";
import type { Graph } from "./graph.js";
import type { Job } from "./job.js";
import type { LoadedManifest } from "./manifest-loader.js";

/**
 * Writes the manifests to the destination, each after what it refers to, and to the cache if it has what they refer to: blobs that the
 * destination already had or mounted are not in the cache.
 */
export async function putManifests(job: Job, graph: Graph, roots: readonly Root[]): Promise<void> {
  const tagged = sentWithTag(graph, roots);
  for (const group of graph.manifests) {
    await job.forEach(group, async (loaded) => {
      if (loaded.from === "cache" && job.trustsCache) job.inCache.add(loaded.descriptor.digest);
      else if (await isCompleteInCache(job, loaded, graph.missing)) await putIntoCache(job, loaded);
      await sendManifest(job, loaded, { tagFollows: tagged.has(loaded.descriptor.digest) });
    });
  }
}

/** Returns the manifests that get a tag and do not have to be sent before another manifest. */
function sentWithTag(graph: Graph, roots: readonly Root[]): ReadonlySet<Digest> {
  const tagged = new Set<Digest>();
  for (const { name, descriptor } of roots) if (name !== undefined) tagged.add(descriptor.digest);
  for (const { tag, descriptor } of graph.referrers) if (tag !== undefined) tagged.add(descriptor.digest);
  for (const { manifest } of graph.manifests.flat()) {
    for (const { digest } of manifestChildren(manifest).manifests) tagged.delete(digest);
    if (manifest.subject !== undefined) tagged.delete(manifest.subject.digest);
  }
  return tagged;
}

/** Sends a manifest. If the destination rejects one of an unknown media type, sends it as a blob. */
async function sendManifest(
  job: Job,
  { descriptor, bytes, isOpaque }: LoadedManifest,
  { tagFollows }: { readonly tagFollows: boolean },
): Promise<void> {
  const { destination } = job;
  try {
    await destination?.manifest(descriptor, bytes, { ...job.callOptions(), tagFollows });
  } catch (error) {
    job.signal.throwIfAborted();
    if (!isOpaque || !MoteError.isInstance(error)) throw error;
    await destination?.blob(descriptor, oneChunk(bytes), job.callOptions());
  }
}

async function* oneChunk(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  yield bytes;
}

/**
 * Writes the indexes of a selected platform to the cache, to which the name in the cache refers, if the cache has the platform. The destination
 * gets only the platform.
 */
export async function putIndexes(job: Job, { descriptor, indexes }: Root): Promise<void> {
  let { digest } = descriptor;
  for (const index of [...indexes].reverse()) {
    if (!job.inCache.has(digest)) return;
    digest = index.descriptor.digest;
    if (index.from === "cache" && job.trustsCache) job.inCache.add(digest);
    else await putIntoCache(job, index);
  }
}

/** Returns whether the cache has what a manifest refers to, except what the source does not have either. */
async function isCompleteInCache(
  { cache, inCache, signal }: Job,
  { manifest }: LoadedManifest,
  missing: Graph["missing"],
): Promise<boolean> {
  const { manifests, blobs } = manifestChildren(manifest);
  for (const child of [...manifests, ...blobs]) {
    if (inCache.has(child.digest) || missing.has(child.digest)) continue;
    try {
      if (!(await cache.moteExists(child.digest, { signal }))) return false;
    } catch {
      signal.throwIfAborted();
      return false;
    }
  }
  return true;
}

async function putIntoCache(job: Job, { descriptor, bytes }: LoadedManifest): Promise<void> {
  const { cache, destination, signal } = job;
  const { digest } = descriptor;
  try {
    await writeMote(cache, descriptor, bytes, { signal });
    job.inCache.add(digest);
  } catch (error) {
    signal.throwIfAborted();
    if (destination === undefined) throw error;
    job.warn(`the manifest ${digest} cannot be put into the cache`, error, digest);
  }
}
