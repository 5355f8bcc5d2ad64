import { type Digest, MoteError, type MoteInfo, mediaTypes, type PruneOptions, type PruneReport } from "@mote/core";
import type { BlobStore } from "./blob-store.js";
import { BlobTable } from "./blob-table.js";
import { chunkBytes } from "./chunk-digests.js";
import type { DigestFiles } from "./digest-files.js";
import { fileFault } from "./file-fault.js";
import type { AnnouncedPrune, LeaseFiles } from "./lease-files.js";
import type { Leftovers } from "./leftovers.js";
import { type Holds, PruneCandidates, type PruneRun } from "./prune-choice.js";
import { findRoots, type Root } from "./root-closure.js";
import type { TagFiles } from "./tag-files.js";

/** Blobs removed between two looks at the leases. */
const sliceBlobs = 64;

export interface PruneParts {
  readonly store: BlobStore;
  readonly tags: TagFiles;
  readonly manifests: DigestFiles;
  readonly pins: DigestFiles;
  readonly leases: LeaseFiles;
  readonly leftovers: Leftovers;
}

/**
 * Removes by closure: the least recently used root goes first, its tags and manifests before their layers, so that nobody finds a
 * name whose content has holes; what no root refers to goes by its own recency.
 */
export async function pruneBlobs(parts: PruneParts, maxSize: number, options: PruneRun): Promise<PruneReport> {
  checkBounds({ maxSize, ...bounds(options) });
  options.signal?.throwIfAborted();
  const announced = options.dryRun ? dryRun(parts.leases) : parts.leases.beginPrune();
  try {
    return await new Pruning(parts, maxSize, options, announced).run();
  } finally {
    announced.end();
  }
}

function dryRun(leases: LeaseFiles): AnnouncedPrune {
  return { look: () => leases.current(), rest() {}, end() {} };
}

function bounds({ maxAgeMs, minAgeMs }: PruneOptions): Record<string, number> {
  return { ...(maxAgeMs === undefined ? {} : { maxAgeMs }), ...(minAgeMs === undefined ? {} : { minAgeMs }) };
}

function checkBounds(numbers: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(numbers)) {
    if (typeof value === "number" && value >= 0) continue;
    throw new TypeError(`${name} is a number from 0, not ${String(value)}`);
  }
}

class Pruning {
  readonly #parts: PruneParts;
  readonly #maxSize: number;
  readonly #options: PruneRun;
  readonly #announced: AnnouncedPrune;
  readonly #removed: MoteInfo[] = [];
  readonly #untagged: string[] = [];
  readonly #skipped = new Map<Digest, PruneReport["skipped"][number]>();
  #removedBytes = 0;
  #freedBytes = 0;

  constructor(parts: PruneParts, maxSize: number, options: PruneRun, announced: AnnouncedPrune) {
    this.#parts = parts;
    this.#maxSize = maxSize;
    this.#options = options;
    this.#announced = announced;
  }

  async run(): Promise<PruneReport> {
    const candidates = await this.#gather();
    const { dryRun = false, only } = this.#options;
    if (!dryRun && only === undefined) this.#parts.leftovers.prune(this.#maxSize - candidates.total);
    // Again as long as it helps: in the place of what could not be removed, something else may go.
    for (let before = -1; before !== this.#removed.length; ) {
      before = this.#removed.length;
      await this.#round(candidates);
      if (candidates.total <= this.#maxSize || dryRun) break;
    }
    return {
      removed: this.#removed,
      removedBytes: this.#removedBytes,
      freedBytes: this.#freedBytes,
      remainingBytes: candidates.total,
      untagged: this.#untagged,
      skipped: [...this.#skipped.values()],
      reached: only === undefined ? candidates.total <= this.#maxSize : this.#skipped.size === 0,
      dryRun,
    };
  }

  async #gather(): Promise<PruneCandidates> {
    const { store, tags, manifests, pins } = this.#parts;
    const roots = await findRoots(store, { tags, manifests, pins });
    const referred = new Set(roots.flatMap(({ closure }) => [...closure]));
    const indexOf = new Map<Digest, number>();
    const table = await BlobTable.scan(
      store,
      (digest, index) => {
        if (referred.has(digest)) indexOf.set(digest, index);
      },
      this.#options.signal,
    );
    return new PruneCandidates(table, roots, indexOf);
  }

  async #round(candidates: PruneCandidates): Promise<void> {
    const chosen = await candidates.choose(this.#maxSize, this.#options, this.#holds(), () =>
      this.#parts.store.slices.pause(),
    );
    this.#announced.rest();
    const first: number[] = [];
    for (const root of chosen.roots) {
      if (!(await this.#removeName(root))) continue;
      candidates.rootGone(root);
      for (const digest of root.manifests) {
        const index = candidates.indexOf(digest);
        if (index !== undefined && chosen.blobs[index] === 1) first.push(index);
      }
    }
    this.#announced.rest();
    if (chosen.roots.length > 0 && !this.#options.dryRun) {
      await this.#parts.tags.writeView();
      await this.#syncNames(this.#parts.store.folder.tags);
    }
    for (const digest of chosen.held) this.#skipHeld(digest, candidates);
    await this.#removeBlobs(candidates, first);
    this.#announced.rest();
    if (first.length > 0 && !this.#options.dryRun) {
      for (const { path } of this.#parts.store.folder.blobFolders()) await this.#syncNames(path);
    }
    const rest = function* () {
      for (let index = 0; index < chosen.blobs.length; index++) if (chosen.blobs[index] === 1) yield index;
    };
    await this.#removeBlobs(candidates, rest());
    this.#announced.rest();
  }

  /** After a power cut, too, what is above must be gone before what is below. */
  async #syncNames(folder: string): Promise<void> {
    const { syncs } = this.#parts.store;
    try {
      if (syncs.durability !== "visible") await syncs.names(folder);
    } catch (error) {
      throw fileFault(error, "write", folder);
    }
  }

  /** @returns false where somebody holds it by now */
  async #removeName(root: Root): Promise<boolean> {
    if (this.#holds().has(root.digest)) return false;
    if (!this.#options.dryRun) {
      for (const tag of root.tags) this.#parts.tags.drop(tag);
      this.#parts.manifests.remove(root.digest);
    }
    this.#untagged.push(...root.tags.map(({ name }) => name));
    return true;
  }

  async #removeBlobs(candidates: PruneCandidates, indices: Iterable<number>): Promise<void> {
    let sinceLook = sliceBlobs;
    let holds = this.#holds();
    for (const index of indices) {
      const pause = this.#parts.store.slices.pause();
      if (pause !== undefined) await pause;
      if (pause !== undefined || sinceLook++ >= sliceBlobs) {
        this.#options.signal?.throwIfAborted();
        holds = this.#holds();
        sinceLook = 0;
      }
      if (candidates.isOut(index)) continue;
      const digest = candidates.table.digestAt(index);
      if (holds.has(digest)) this.#skipHeld(digest, candidates);
      else await this.#removeBlob(candidates, index, digest);
    }
  }

  async #removeBlob(candidates: PruneCandidates, index: number, digest: Digest): Promise<void> {
    const size = candidates.table.sizeAt(index);
    try {
      if (!this.#options.dryRun) {
        await this.#parts.store.remove(digest);
        if (size > chunkBytes) this.#parts.store.chunkDigests.remove(digest);
      }
    } catch (error) {
      candidates.blobStays(index);
      this.#skipped.set(digest, { digest, size, reason: MoteError.isInstance(error) ? error.code : "MOTE_IO" });
      return;
    }
    candidates.blobGone(index);
    this.#removed.push({ digest, size, mediaType: mediaTypes.octetStream });
    this.#removedBytes += size;
    if (!candidates.table.isSharedAt(index)) this.#freedBytes += size;
  }

  #skipHeld(digest: Digest, candidates: PruneCandidates): void {
    const index = candidates.indexOf(digest);
    const size = index === undefined ? 0 : candidates.table.sizeAt(index);
    this.#skipped.set(digest, { digest, size, reason: this.#holds().get(digest) ?? "leased" });
  }

  #holds(): Holds {
    const holds = new Map<Digest, "pinned" | "leased">();
    for (const digest of this.#announced.look()) holds.set(digest, "leased");
    for (const digest of this.#parts.pins.list()) holds.set(digest, "pinned");
    return holds;
  }
}
