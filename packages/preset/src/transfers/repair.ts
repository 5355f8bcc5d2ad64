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

/** Re-downloads missing content: images from their registry, and the rest from known locations. */
export class Repair {
  readonly #parts: Parts;
  readonly #mover: Mover;
  readonly #options: RepairOptions;
  /** Registries that did not respond, with the reason. They are not contacted again. */
  readonly #silent = new Map<string, string>();

  constructor(parts: Parts, mover: Mover, options: RepairOptions) {
    this.#parts = parts;
    this.#mover = mover;
    this.#options = options;
  }

  /** @returns the names of images that are still incomplete */
  async run(): Promise<string[]> {
    const { cache } = this.#parts;
    const { damaged = [], unreadable = [] } = this.#options;
    const bad = new Set([...damaged, ...unreadable]);
    const before = await takeInventory(cache, this.#options);
    for (const [digest, names] of manifestsToComplete(before, bad)) await this.#completeImage(digest, names);
    const after = await takeInventory(cache, this.#options);
    for (const digest of [...bad, ...missingBlobs(after)]) {
      if (!(await isIntact(cache, digest, this.#options))) await this.#fetchBlob(digest);
    }
    return namesOfIncomplete(incompleteManifests(await takeInventory(cache, this.#options), bad));
  }

  /** Fetches from the first location that has it. */
  async #completeImage(digest: Digest, names: readonly string[]): Promise<void> {
    for (const name of names) {
      const ref = this.#parts.references.sourceOf(name);
      if (ref === undefined) continue;
      if (await this.#tries(digest, ref, () => this.#mover.complete(ref, digest, this.#options))) return;
    }
  }

  async #fetchBlob(digest: Digest): Promise<void> {
    const { bic, endpoints, references } = this.#parts;
    const { signal } = this.#options;
    const known = await knownLocations(bic, references.codec, digest, { signal }).catch(() => undefined);
    for (const { ref } of known?.locations.slice(0, mostLocations) ?? []) {
      const isHere = await this.#tries(digest, ref, () =>
        endpoints.readBlob(ref, digest, (reader) => this.#store(digest, reader), { signal }),
      );
      if (isHere) return;
    }
    if (known === undefined || known.locations.length === 0) this.#fail(digest, "no known location");
  }

  /** Stores content of unknown size. The writer verifies its digest. */
  async #store(digest: Digest, chunks: AsyncIterable<Uint8Array>): Promise<void> {
    const { cache } = this.#parts;
    const { signal } = this.#options;
    await writeMote(cache, { digest, mediaType: mediaTypes.octetStream }, chunks, { signal });
  }

  /** Contacts a registry that does not respond only once, to wait for its timeout once. */
  async #tries(digest: Digest, ref: Ref, work: () => Promise<unknown>): Promise<boolean> {
    const registry = ref.transport === "docker" ? ref.registry : undefined;
    const silence = registry && this.#silent.get(registry);
    if (silence !== undefined) {
      this.#fail(digest, silence);
      return false;
    }
    try {
      await work();
      return true;
    } catch (error) {
      this.#options.signal?.throwIfAborted();
      if (!MoteError.isInstance(error)) throw error;
      if (registry !== undefined && isSilence(error)) this.#silent.set(registry, error.message);
      this.#fail(digest, isNotFound(error) ? `no longer there: ${error.message}` : error.message);
      return false;
    }
  }

  #fail(digest: Digest, reason: string): void {
    this.#options.onFailure?.({ digest, reason });
  }
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
