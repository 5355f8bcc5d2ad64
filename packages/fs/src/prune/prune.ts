import { assertPruneBounds, type Digest, hasCode, isManifestType, type PruneReport } from "@mote/core";
import { chunkBytes } from "../blobs/chunk-digests.js";
import { notedBytes } from "../blobs/linked-notes.js";
import type { StoredTag } from "../tags/tag-file.js";
import { BlobTable } from "./blob-table.js";
import { PruneCandidates, type PruneChoice, type PruneRun } from "./choice.js";
import { cleanUpNotes, cleanUpRecords } from "./clean-up-records.js";
import type { PruneDependencies } from "./dependencies.js";
import { PruneEvicted, PruneHolds } from "./holds.js";
import { findRoots, type Root } from "./roots.js";
import { RootsSince } from "./roots-since.js";
import { PruneTally } from "./tally.js";
import { correctTimesAhead } from "./times-ahead.js";

/** Maximum number of restarts after evictions. */
const mostAttempts = 10;

/** Removes the least recently used roots first, names and manifests before their layers; unreferenced blobs by their own use. */
export async function pruneBlobs(
  dependencies: PruneDependencies,
  maxSize: number,
  options: PruneRun,
): Promise<PruneReport> {
  assertPruneBounds(maxSize, options);
  options.signal?.throwIfAborted();
  const tally = new PruneTally();
  for (let attempt = 1; ; attempt++) {
    const holds = new PruneHolds(dependencies, options);
    try {
      const candidates = await gather(dependencies, options, holds);
      await new Pruning(dependencies, { ...options, maxSize }, { holds, tally, candidates }).run();
      return tally.report(maxSize, options);
    } catch (error) {
      if (!(error instanceof PruneEvicted)) throw error;
      dependencies.store.logger.warn("other processes continued without this prune, which was stopped: it starts over");
      if (attempt === mostAttempts) return tally.report(maxSize, options);
      tally.startOver();
    } finally {
      holds.end();
    }
  }
}

/** Lists the blobs and roots, and watches for roots that are added from now on. */
async function gather(
  dependencies: PruneDependencies,
  { dryRun, signal }: PruneRun,
  holds: PruneHolds,
): Promise<PruneCandidates> {
  const { store, tags, manifests, pins } = dependencies;
  const sinceMs = Date.now();
  if (!dryRun) await cleanUpNotes(dependencies);
  const roots = await findRoots(store, { tags, manifests, pins });
  if (!dryRun) holds.watch(new RootsSince(store, manifests, roots));
  const referred = new Set(roots.flatMap(({ closure }) => [...closure]));
  const table = await BlobTable.scan(store, signal);
  if (!dryRun) await correctTimesAhead(store, { table, roots, sinceMs });
  const indexOf = await table.indicesOf(referred, () => store.yields.yieldAfterWork());
  const candidates = new PruneCandidates(table, roots, indexOf);
  await store.yields.yieldAfterWork();
  return candidates;
}

class Pruning {
  readonly #dependencies: PruneDependencies;
  readonly #options: PruneRun & { readonly maxSize: number };
  readonly #holds: PruneHolds;
  readonly #tally: PruneTally;
  readonly #candidates: PruneCandidates;

  constructor(
    dependencies: PruneDependencies,
    options: PruneRun & { readonly maxSize: number },
    { holds, tally, candidates }: { holds: PruneHolds; tally: PruneTally; candidates: PruneCandidates },
  ) {
    this.#dependencies = dependencies;
    this.#options = options;
    this.#holds = holds;
    this.#tally = tally;
    this.#candidates = candidates;
  }

  async run(): Promise<void> {
    const { dryRun = false, maxSize } = this.#options;
    const quarantinedBytes = this.#emptyQuarantine();
    const maxBlobBytes = Math.max(0, maxSize - quarantinedBytes);
    try {
      // Repeated while it removes anything: if something could not be removed, something else may be.
      for (let before = -1; before !== this.#tally.removals; ) {
        before = this.#tally.removals;
        await this.#round(maxBlobBytes);
        if (this.#candidates.total <= maxBlobBytes || dryRun) break;
      }
    } finally {
      this.#tally.remainingBytes = this.#candidates.total + quarantinedBytes;
    }
    if (!dryRun) await this.#tidy();
  }

  /** Runs first, as these bytes are useless. @returns bytes that stay in the quarantine */
  #emptyQuarantine(): number {
    const { only, minAgeMs = 0, dryRun = false } = this.#options;
    if (only !== undefined) return 0;
    const { left, ...outcome } = this.#dependencies.quarantine.remove({ minAgeMs, dryRun });
    this.#tally.quarantined(outcome);
    return left.bytes;
  }

  async #round(maxBlobBytes: number): Promise<void> {
    const holds = this.#holds;
    await holds.look();
    // Leases are checked again before anything chosen is removed.
    holds.rest();
    const yieldIfDue = () => this.#dependencies.store.yields.yieldAfterWork();
    const chosen = await this.#candidates.choose(maxBlobBytes, this.#options, holds.current, yieldIfDue);
    for (const digest of chosen.held) this.#skipHeld(digest);
    await this.#removeRoots(chosen);
    const rest = function* () {
      for (let index = 0; index < chosen.blobs.length; index++) if (chosen.blobs[index] === 1) yield index;
    };
    await this.#removeBlobs(rest());
    holds.rest();
  }

  /** Removes names, then manifests, in this order even after a power failure. */
  async #removeRoots(chosen: PruneChoice): Promise<void> {
    const { tags, store } = this.#dependencies;
    const unnamed: Root[] = [];
    for (const root of chosen.roots) {
      if (await this.#removeName(root)) unnamed.push(root);
      else this.#keepRoot(root, chosen);
    }
    this.#holds.rest();
    const { dryRun = false } = this.#options;
    if (unnamed.length > 0 && !dryRun) {
      await tags.view.writeIfSpace();
      await store.syncs.namesUnlessVisible(store.folder.tags);
    }
    // From here on, either a new name is seen below, or the lease of the process that sets it.
    this.#holds.remember(true);
    await this.#holds.look();
    const namedSince = new Set((dryRun ? [] : await tags.stored()).map(({ descriptor }) => descriptor.digest));
    const roots = new Set(unnamed.map(({ digest }) => digest));
    for (const root of thoseAboveFirst(unnamed)) {
      const isGone = !namedSince.has(root.digest) && (await this.#removeManifests(root, chosen, roots));
      if (isGone) this.#rootGone(root);
      else this.#keepRoot(root, chosen);
    }
    this.#holds.remember(false);
    this.#holds.rest();
    if (unnamed.length === 0 || dryRun) return;
    for (const { path } of store.folder.blobFolders()) await store.syncs.namesUnlessVisible(path);
  }

  /** @returns false if it is held by now */
  async #removeName(root: Root): Promise<boolean> {
    await this.#holds.lookIfDue();
    const holds = this.#holds.current;
    if (holds.has(root.digest)) return false;
    const { dryRun = false } = this.#options;
    if (!dryRun && root.tags.length > 0) this.#noteRoot(root);
    const isHeld = (digest: Digest) => holds.has(digest);
    const drop = (tag: StoredTag) => this.#dependencies.tags.drop(tag, isHeld, this.#holds.removalPath(tag.path));
    const dropped = root.tags.filter((tag) => dryRun || drop(tag));
    this.#tally.untagged(dropped);
    if (dropped.length < root.tags.length) this.#holds.assertNotEvicted();
    return true;
  }

  /** Skips manifests that are roots themselves, and stops at a held one. @returns whether all that were chosen are removed */
  async #removeManifests(root: Root, chosen: PruneChoice, otherRoots: ReadonlySet<Digest>): Promise<boolean> {
    const candidates = this.#candidates;
    for (const digest of root.manifests) {
      if (digest !== root.digest && otherRoots.has(digest)) continue;
      const index = candidates.indexOf(digest);
      if (index !== undefined && chosen.blobs[index] !== 1) continue;
      await this.#removeBlobs(index === undefined ? [] : [index]);
      // One that was not listed may be about to be stored, or was stored since.
      if (this.#holds.current.has(digest)) return false;
      if (index === undefined ? await this.#dependencies.store.stat(digest) : !candidates.isGone(digest)) return false;
    }
    return true;
  }

  /** Those of its manifests that another root refers to may stay. */
  #rootGone(root: Root): void {
    this.#candidates.rootGone(root);
    for (const digest of this.#options.dryRun ? [] : root.manifests) {
      if (!this.#candidates.isGone(digest)) continue;
      // Not before: while it exists, it is a root for other prunes.
      this.#dependencies.manifests.removeOfAbsent(digest);
      this.#holds.forget(digest);
    }
  }

  /** Records a manifest that only had a tag, so that other prunes know it while it exists. */
  #noteRoot({ digest, mediaType }: Root): void {
    try {
      if (isManifestType(mediaType)) this.#dependencies.manifests.add(digest, mediaType);
    } catch (error) {
      if (!hasCode(error, "MOTE_NO_SPACE")) throw error;
    }
  }

  /** Keeps everything below a manifest that could not be removed. */
  #keepRoot(root: Root, chosen: PruneChoice): void {
    this.#candidates.rootStays(root);
    if (this.#holds.current.has(root.digest)) this.#skipHeld(root.digest);
    for (const digest of root.closure) {
      const index = this.#candidates.indexOf(digest);
      if (index !== undefined) chosen.blobs[index] = 0;
    }
  }

  async #tidy(): Promise<void> {
    const { only, maxSize } = this.#options;
    if (only === undefined) this.#dependencies.orphans.prune(maxSize);
    await this.#dependencies.tags.view.writeIfSpace();
    await cleanUpRecords(this.#dependencies, this.#tally.untaggedNames);
  }

  async #removeBlobs(indices: Iterable<number>): Promise<void> {
    const candidates = this.#candidates;
    for (const index of indices) {
      const looking = this.#holds.lookIfDue();
      if (looking !== undefined) {
        await looking;
        this.#options.signal?.throwIfAborted();
      }
      if (candidates.isOut(index)) continue;
      const digest = candidates.table.digestAt(index);
      if (this.#holds.current.has(digest)) this.#skipHeld(digest);
      else {
        const removing = this.#removeBlob(index, digest);
        if (removing !== undefined) await removing;
      }
    }
  }

  /** Returns undefined if it completed synchronously. */
  #removeBlob(index: number, digest: Digest): void | Promise<void> {
    const { store } = this.#dependencies;
    const stays = (error: unknown) => {
      if (error instanceof PruneEvicted) throw error;
      this.#candidates.blobStays(index);
      this.#tally.failed(digest, this.#candidates.table.sizeAt(index), error);
    };
    try {
      const removing =
        this.#options.dryRun || store.remove(digest, this.#holds.removalPath(store.folder.blobPath(digest)));
      if (removing instanceof Promise) {
        return removing.then((wasThere) => this.#blobGone(index, digest, wasThere)).catch(stays);
      }
      this.#blobGone(index, digest, removing);
    } catch (error) {
      stays(error);
    }
  }

  #blobGone(index: number, digest: Digest, wasThere: boolean): void {
    if (!wasThere) this.#holds.assertNotEvicted();
    const { table } = this.#candidates;
    const size = table.sizeAt(index);
    if (size > chunkBytes && !this.#options.dryRun) this.#dependencies.store.chunkDigests.remove(digest);
    if (size > notedBytes && !this.#options.dryRun) this.#dependencies.store.linkedNotes.remove(digest);
    this.#candidates.blobGone(index);
    // Otherwise another prune removed it first, and reports it.
    if (wasThere) this.#tally.removed(table, index, digest);
  }

  #skipHeld(digest: Digest): void {
    const index = this.#candidates.indexOf(digest);
    const size = index === undefined ? 0 : this.#candidates.table.sizeAt(index);
    const hold = this.#holds.current.get(digest);
    if (hold?.reason !== "named") this.#tally.held(digest, size, hold ?? { reason: "leased" });
    else if (index !== undefined) this.#candidates.blobStays(index);
  }
}

/** Sorts an index before its manifests: otherwise it would be incomplete while they are removed. */
function thoseAboveFirst(roots: readonly Root[]): Root[] {
  return roots.toSorted((a, b) => b.manifests.size - a.manifests.size);
}
