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
    const holds = new PruneHolds(dependencies, { dryRun: options.dryRun ?? false, keep: options.keep ?? [] });
    const pruning = new Pruning(dependencies, { ...options, maxSize }, holds, tally);
    try {
      return await pruning.run();
    } catch (error) {
      if (!(error instanceof PruneEvicted)) throw error;
      dependencies.store.logger.warn("other processes continued without this prune, which was stopped: it starts over");
      if (attempt === mostAttempts) return pruning.report();
      tally.startOver();
    } finally {
      holds.end();
    }
  }
}

class Pruning {
  readonly #dependencies: PruneDependencies;
  readonly #options: PruneRun & { readonly maxSize: number };
  readonly #holds: PruneHolds;
  readonly #tally: PruneTally;
  #remainingBytes = 0;
  /** The limit for blobs: `maxSize` less the bytes that stay in the quarantine. */
  #maxBlobBytes: number;

  constructor(
    dependencies: PruneDependencies,
    options: PruneRun & { readonly maxSize: number },
    holds: PruneHolds,
    tally: PruneTally,
  ) {
    this.#dependencies = dependencies;
    this.#options = options;
    this.#holds = holds;
    this.#tally = tally;
    this.#maxBlobBytes = options.maxSize;
  }

  async run(): Promise<PruneReport> {
    const candidates = await this.#gather();
    const { dryRun = false } = this.#options;
    const quarantinedBytes = this.#emptyQuarantine();
    try {
      // Repeated while it removes anything: if something could not be removed, something else may be.
      for (let before = -1; before !== this.#tally.removals; ) {
        before = this.#tally.removals;
        await this.#round(candidates);
        if (candidates.total <= this.#maxBlobBytes || dryRun) break;
      }
    } finally {
      this.#remainingBytes = candidates.total + quarantinedBytes;
    }
    if (!dryRun) await this.#tidy();
    return this.report();
  }

  /** Runs first, as these bytes are useless. @returns bytes that stay in the quarantine */
  #emptyQuarantine(): number {
    const { only, minAgeMs = 0, dryRun = false, maxSize } = this.#options;
    if (only !== undefined) return 0;
    const { left, ...outcome } = this.#dependencies.quarantine.remove({ minAgeMs, dryRun });
    this.#tally.quarantined(outcome);
    this.#maxBlobBytes = Math.max(0, maxSize - left.bytes);
    return left.bytes;
  }

  report(): PruneReport {
    const { dryRun = false, maxSize, only } = this.#options;
    return this.#tally.report(this.#remainingBytes, only === undefined ? maxSize : undefined, dryRun);
  }

  async #gather(): Promise<PruneCandidates> {
    const { store, tags, manifests, pins } = this.#dependencies;
    const sinceMs = Date.now();
    if (!this.#options.dryRun) await cleanUpNotes(this.#dependencies);
    const roots = await findRoots(store, { tags, manifests, pins });
    if (!this.#options.dryRun) this.#holds.watch(new RootsSince(store, manifests, roots));
    const referred = new Set(roots.flatMap(({ closure }) => [...closure]));
    const table = await BlobTable.scan(store, this.#options.signal);
    if (!this.#options.dryRun) await correctTimesAhead(store, { table, roots, sinceMs });
    const indexOf = await table.indicesOf(referred, () => store.yields.yieldAfterWork());
    const candidates = new PruneCandidates(table, roots, indexOf);
    await store.yields.yieldAfterWork();
    return candidates;
  }

  async #round(candidates: PruneCandidates): Promise<void> {
    const holds = this.#holds;
    await holds.look();
    // Leases are checked again before anything chosen is removed.
    holds.rest();
    const { yields } = this.#dependencies.store;
    const chosen = await candidates.choose(this.#maxBlobBytes, this.#options, holds.current, () =>
      yields.yieldAfterWork(),
    );
    for (const digest of chosen.held) this.#skipHeld(digest, candidates);
    await this.#removeRoots(chosen, candidates);
    const rest = function* () {
      for (let index = 0; index < chosen.blobs.length; index++) if (chosen.blobs[index] === 1) yield index;
    };
    await this.#removeBlobs(candidates, rest());
    this.#holds.rest();
  }

  /** Removes names, then manifests, in this order even after a power failure. */
  async #removeRoots(chosen: PruneChoice, candidates: PruneCandidates): Promise<void> {
    const { tags, store } = this.#dependencies;
    const unnamed: Root[] = [];
    for (const root of chosen.roots) {
      if (await this.#removeName(root)) unnamed.push(root);
      else this.#keepRoot(root, chosen, candidates);
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
      const isGone = !namedSince.has(root.digest) && (await this.#removeManifests(root, chosen, candidates, roots));
      if (isGone) this.#rootGone(root, candidates);
      else this.#keepRoot(root, chosen, candidates);
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
  async #removeManifests(
    root: Root,
    chosen: PruneChoice,
    candidates: PruneCandidates,
    otherRoots: ReadonlySet<Digest>,
  ): Promise<boolean> {
    for (const digest of root.manifests) {
      if (digest !== root.digest && otherRoots.has(digest)) continue;
      const index = candidates.indexOf(digest);
      if (index !== undefined && chosen.blobs[index] !== 1) continue;
      await this.#removeBlobs(candidates, index === undefined ? [] : [index]);
      // One that was not listed may be about to be stored, or was stored since.
      if (this.#holds.current.has(digest)) return false;
      if (index === undefined ? await this.#dependencies.store.stat(digest) : !candidates.isGone(digest)) return false;
    }
    return true;
  }

  /** Those of its manifests that another root refers to may stay. */
  #rootGone(root: Root, candidates: PruneCandidates): void {
    candidates.rootGone(root);
    for (const digest of this.#options.dryRun ? [] : root.manifests) {
      if (!candidates.isGone(digest)) continue;
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
  #keepRoot(root: Root, chosen: PruneChoice, candidates: PruneCandidates): void {
    candidates.rootStays(root);
    if (this.#holds.current.has(root.digest)) this.#skipHeld(root.digest, candidates);
    for (const digest of root.closure) {
      const index = candidates.indexOf(digest);
      if (index !== undefined) chosen.blobs[index] = 0;
    }
  }

  async #tidy(): Promise<void> {
    const { only, maxSize } = this.#options;
    if (only === undefined) this.#dependencies.orphans.prune(maxSize);
    await this.#dependencies.tags.view.writeIfSpace();
    await cleanUpRecords(this.#dependencies, this.#tally.untaggedNames);
  }

  async #removeBlobs(candidates: PruneCandidates, indices: Iterable<number>): Promise<void> {
    for (const index of indices) {
      const looking = this.#holds.lookIfDue();
      if (looking !== undefined) {
        await looking;
        this.#options.signal?.throwIfAborted();
      }
      if (candidates.isOut(index)) continue;
      const digest = candidates.table.digestAt(index);
      if (this.#holds.current.has(digest)) this.#skipHeld(digest, candidates);
      else {
        const removing = this.#removeBlob(candidates, index, digest);
        if (removing !== undefined) await removing;
      }
    }
  }

  /** Returns undefined if it completed synchronously. */
  #removeBlob(candidates: PruneCandidates, index: number, digest: Digest): void | Promise<void> {
    const stays = (error: unknown) => this.#blobStays(candidates, index, digest, error);
    try {
      const removing = this.#options.dryRun || this.#remove(digest);
      if (removing instanceof Promise) {
        return removing.then((wasThere) => this.#blobGone(candidates, index, { digest, wasThere })).catch(stays);
      }
      this.#blobGone(candidates, index, { digest, wasThere: removing });
    } catch (error) {
      stays(error);
    }
  }

  #remove(digest: Digest): boolean | Promise<boolean> {
    const { store } = this.#dependencies;
    return store.remove(digest, this.#holds.removalPath(store.folder.blobPath(digest)));
  }

  #blobStays(candidates: PruneCandidates, index: number, digest: Digest, error: unknown): void {
    if (error instanceof PruneEvicted) throw error;
    candidates.blobStays(index);
    this.#tally.failed(digest, candidates.table.sizeAt(index), error);
  }

  #blobGone(
    candidates: PruneCandidates,
    index: number,
    { digest, wasThere }: { readonly digest: Digest; readonly wasThere: boolean },
  ): void {
    if (!wasThere) this.#holds.assertNotEvicted();
    const { table } = candidates;
    const size = table.sizeAt(index);
    if (size > chunkBytes && !this.#options.dryRun) this.#dependencies.store.chunkDigests.remove(digest);
    if (size > notedBytes && !this.#options.dryRun) this.#dependencies.store.linkedNotes.remove(digest);
    candidates.blobGone(index);
    // Otherwise another prune removed it first, and reports it.
    if (wasThere) this.#tally.removed(table, index, digest);
  }

  #skipHeld(digest: Digest, candidates: PruneCandidates): void {
    const index = candidates.indexOf(digest);
    const size = index === undefined ? 0 : candidates.table.sizeAt(index);
    const hold = this.#holds.current.get(digest);
    if (hold?.reason !== "named") this.#tally.held(digest, size, hold ?? { reason: "leased" });
    else if (index !== undefined) candidates.blobStays(index);
  }
}

/** Sorts an index before its manifests: otherwise it would be incomplete while they are removed. */
function thoseAboveFirst(roots: readonly Root[]): Root[] {
  return roots.toSorted((a, b) => b.manifests.size - a.manifests.size);
}
