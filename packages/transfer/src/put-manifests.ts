import { type Digest, MoteError, manifestChildren, writeMote } from "@mote/core";
import type { Graph } from "./graph.js";
import type { Job } from "./job.js";
import type { LoadedManifest } from "./loaded-manifest.js";
import type { Root } from "./root.js";

/**
 * Puts the manifests to the destination, each after everything that it names; and into the cache, if what it names is there: what
 * the destination had, or mounted, never came here, and a manifest with holes below it is better not found.
 */
export async function putManifests(job: Job, graph: Graph, roots: readonly Root[]): Promise<void> {
  const tagged = waitingForTag(graph, roots);
  for (const group of graph.manifests) {
    await job.forEach(group, async (loaded) => {
      if (loaded.from === "cache" && job.trustsCache) job.inCache.add(loaded.descriptor.digest);
      else if (await isCompleteInCache(job, loaded, graph.missing)) await putIntoCache(job, loaded);
      await sendManifest(job, loaded, { tagFollows: tagged.has(loaded.descriptor.digest) });
    });
  }
}

/** What gets a tag, and is not named or referred to by another manifest, which would have to wait for it. */
function waitingForTag(graph: Graph, roots: readonly Root[]): ReadonlySet<Digest> {
  const tagged = new Set<Digest>();
  for (const { name, descriptor } of roots) if (name !== undefined) tagged.add(descriptor.digest);
  for (const { tag, descriptor } of graph.referrers) if (tag !== undefined) tagged.add(descriptor.digest);
  for (const { manifest } of graph.manifests.flat()) {
    for (const { digest } of manifestChildren(manifest).manifests) tagged.delete(digest);
    if (manifest.subject !== undefined) tagged.delete(manifest.subject.digest);
  }
  return tagged;
}

/** A registry may take one of a type that it does not know as a blob alone, as it was where it came from. */
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
 * Puts the indexes that led to a platform into the cache, if that has the platform: a name there stands for what the reference means,
 * and another platform is found, or known to be missing, the next time. The destination gets the platform alone.
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

/** An index that lists what the source does not have is as complete as there. */
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
  const { cache, destination } = job;
  const signal = job.ownSignal();
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
