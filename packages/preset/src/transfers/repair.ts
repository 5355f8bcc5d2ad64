import {
  type Cancellable,
  childDescriptors,
  type Digest,
  type Inventory,
  isNotFound,
  knownLocations,
  type MoteCache,
  MoteError,
  mediaTypes,
  type Ref,
  rootsOf,
  takeInventory,
  writeMote,
} from "@mote/core";
import { incompleteManifests, namesOfIncomplete } from "../inventory/incomplete-images.js";
import type { RepairOptions } from "../mote.js";
import type { Parts } from "../parts.js";
import { isSilence } from "../sources/registry-failure.js";
import type { Mover } from "./mover.js";

/** Maximum number of known locations to try for a blob. */
const mostLocations = 5;

/**
 * Re-downloads missing content: images from their registry, and the rest from known locations. Returns the names of images that are still
 * incomplete.
 */
export async function repair(
  { bic, cache, endpoints, references }: Parts,
  mover: Mover,
  options: RepairOptions,
): Promise<string[]> {
  const { damaged = [], unreadable = [], onFailure, signal } = options;
  /** Registries that did not respond, with the reason. They are contacted only once, to wait for their timeout once. */
  const silent = new Map<string, string>();
  const fail = (digest: Digest, reason: string) => onFailure?.({ digest, reason });

  const succeeds = async (digest: Digest, ref: Ref, work: () => Promise<unknown>): Promise<boolean> => {
    const registry = ref.transport === "docker" ? ref.registry : undefined;
    const silence = registry && silent.get(registry);
    if (silence !== undefined) {
      fail(digest, silence);
      return false;
    }
    try {
      await work();
      return true;
    } catch (error) {
      signal?.throwIfAborted();
      if (!MoteError.isInstance(error)) throw error;
      if (registry !== undefined && isSilence(error)) silent.set(registry, error.message);
      fail(digest, isNotFound(error) ? `no longer there: ${error.message}` : error.message);
      return false;
    }
  };

  /** Fetches from the first location that has it. */
  const completeImage = async (digest: Digest, names: readonly string[]): Promise<void> => {
    for (const ref of names.flatMap((name) => references.sourceOf(name) ?? [])) {
      if (await succeeds(digest, ref, () => mover.complete(ref, digest, options))) return;
    }
  };

  const fetchBlob = async (digest: Digest): Promise<void> => {
    // The size is not known. The writer verifies the digest.
    const unsized = { digest, mediaType: mediaTypes.octetStream };
    const store = async (chunks: AsyncIterable<Uint8Array>) => {
      await writeMote(cache, unsized, chunks, { signal });
    };
    const known = await knownLocations(bic, references.codec, digest, { signal }).catch(() => undefined);
    for (const { ref } of known?.locations.slice(0, mostLocations) ?? []) {
      if (await succeeds(digest, ref, () => endpoints.readBlob(ref, digest, store, { signal }))) return;
    }
    if (known === undefined || known.locations.length === 0) fail(digest, "no known location");
  };

  const bad = new Set([...damaged, ...unreadable]);
  const before = await takeInventory(cache, options);
  for (const [digest, names] of manifestsToComplete(before, bad)) await completeImage(digest, names);
  const after = await takeInventory(cache, options);
  for (const digest of [...bad, ...missingBlobs(after)]) {
    if (!(await isIntact(cache, digest, options))) await fetchBlob(digest);
  }
  return namesOfIncomplete(incompleteManifests(await takeInventory(cache, options), bad));
}

/** Returns incomplete and unreadable manifests, and those with bad content, each with the names of its images. */
function manifestsToComplete(inventory: Inventory, bad: ReadonlySet<Digest>): Map<Digest, readonly string[]> {
  const wanted = new Map<Digest, readonly string[]>();
  for (const { digest, names } of incompleteManifests(inventory, bad)) wanted.set(digest, names);
  const roots = rootsOf(inventory);
  const add = (digest: Digest) => {
    if (wanted.has(digest)) return;
    const names = roots.filter(({ closure }) => closure.has(digest)).flatMap((root) => root.names);
    wanted.set(digest, [...new Set(names)]);
  };
  for (const [digest, manifest] of inventory.manifests) {
    if (manifest.kind === "manifest" && childDescriptors(manifest).some((child) => bad.has(child.digest))) add(digest);
  }
  for (const digest of inventory.unreadable.keys()) add(digest);
  return wanted;
}

/** Returns the missing blobs of incomplete images. */
export function missingBlobs(inventory: Inventory): Set<Digest> {
  const missing = new Set<Digest>();
  for (const { digest } of incompleteManifests(inventory)) {
    const manifest = inventory.manifests.get(digest);
    const lacks = manifest === undefined ? [{ digest }] : childDescriptors(manifest);
    for (const child of lacks) if (!inventory.motes.has(child.digest)) missing.add(child.digest);
  }
  return missing;
}

/** Returns whether a mote is stored and undamaged, as far as the cache can verify. */
export async function isIntact(cache: MoteCache, digest: Digest, { signal }: Cancellable): Promise<boolean> {
  try {
    return (await cache.verifyMote?.(digest, { signal })) ?? (await cache.moteExists(digest, { signal }));
  } catch (error) {
    signal?.throwIfAborted();
    if (!MoteError.isInstance(error)) throw error;
    return false;
  }
}
