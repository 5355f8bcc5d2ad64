import {
  type Digest,
  isManifestType,
  MoteError,
  type MoteInfo,
  mediaTypes,
  type PruneOptions,
  type PruneReport,
} from "@mote/core";
import type { BlobStore } from "./blob-store.js";
import { BlobTable } from "./blob-table.js";
import { chunkBytes } from "./chunk-digests.js";
import type { DigestFiles } from "./digest-files.js";
import type { AnnouncedPrune, LeaseFiles } from "./lease-files.js";
import type { Leftovers } from "./leftovers.js";
import type { ManifestNotes } from "./manifest-notes.js";
import type { MemberFiles } from "./member-files.js";
import { lstatIfThere } from "./plain-file.js";
import { type Holds, PruneCandidates, type PruneChoice, type PruneRun } from "./prune-choice.js";
import { findRoots, type Root } from "./root-closure.js";
import { RootsSince } from "./roots-since.js";
import type { KeptTag, TagFiles } from "./tag-files.js";

/** What is removed between two looks at the leases. */
const removalsBetweenLooks = 256;
/** A look that is older was followed by a stop of the process: others may have taken it for dead. */
const staleMs = 1000;

export interface PruneParts {
  readonly store: BlobStore;
  readonly tags: TagFiles;
  readonly members: MemberFiles;
  readonly manifests: ManifestNotes;
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
  readonly #untagged: KeptTag[] = [];
  readonly #skipped = new Map<Digest, PruneReport["skipped"][number]>();
  /** Of files with several names, by inode. */
  readonly #linksLeft = new Map<number, number>();
  #since: RootsSince | undefined;
  /** Everything that was leased at any time since, where that counts. */
  #heldSince: Set<Digest> | undefined;
  #holds: Holds = new Map();
  #sinceLook = Number.POSITIVE_INFINITY;
  #lookedMs = 0;
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
    // Again as long as it helps: in the place of what could not be removed, something else may go.
    for (let before = -1; before !== this.#removed.length; ) {
      before = this.#removed.length;
      await this.#round(candidates);
      if (candidates.total <= this.#maxSize || dryRun) break;
    }
    if (!dryRun) await this.#tidy(candidates.total);
    return {
      removed: this.#removed,
      removedBytes: this.#removedBytes,
      freedBytes: this.#freedBytes,
      remainingBytes: candidates.total,
      untagged: this.#untagged.map(({ name }) => name),
      skipped: [...this.#skipped.values()],
      reached: only === undefined ? candidates.total <= this.#maxSize : this.#skipped.size === 0,
      dryRun,
    };
  }

  async #gather(): Promise<PruneCandidates> {
    const { store, tags, manifests, pins } = this.#parts;
    if (!this.#options.dryRun) await this.#sweepNotes();
    const roots = await findRoots(store, { tags, manifests, pins });
    if (!this.#options.dryRun) this.#since = new RootsSince(store, manifests, roots);
    const referred = new Set(roots.flatMap(({ closure }) => [...closure]));
    const table = await BlobTable.scan(store, this.#options.signal);
    const indexOf = await table.indicesOf(referred, () => store.slices.pauseAfterWork());
    const candidates = new PruneCandidates(table, roots, indexOf);
    await store.slices.pauseAfterWork();
    return candidates;
  }

  /** Of manifests that are not there. Of one that is held, it may be coming. */
  async #sweepNotes(): Promise<void> {
    const { store, manifests, leases } = this.#parts;
    let held = leases.current();
    for (const digest of manifests.list()) {
      const turn = store.slices.pause();
      if (turn !== undefined) {
        await turn;
        held = leases.current();
      }
      if (!held.has(digest)) manifests.removeOfAbsent(digest);
    }
  }

  async #round(candidates: PruneCandidates): Promise<void> {
    await this.#look();
    // What is chosen is looked at again before it goes.
    this.#rest();
    const { slices } = this.#parts.store;
    const chosen = await candidates.choose(this.#maxSize, this.#options, this.#holds, () => slices.pauseAfterWork());
    for (const digest of chosen.held) this.#skipHeld(digest, candidates);
    await this.#removeRoots(chosen, candidates);
    const rest = function* () {
      for (let index = 0; index < chosen.blobs.length; index++) if (chosen.blobs[index] === 1) yield index;
    };
    await this.#removeBlobs(candidates, rest());
    this.#rest();
  }

  /** Names, then manifests; after a power cut, too, what is above must be gone before what is below. */
  async #removeRoots(chosen: PruneChoice, candidates: PruneCandidates): Promise<void> {
    const { tags, store } = this.#parts;
    const unnamed: Root[] = [];
    for (const root of chosen.roots) {
      if (await this.#removeName(root)) unnamed.push(root);
      else this.#keepRoot(root, chosen, candidates);
    }
    this.#rest();
    const { dryRun = false } = this.#options;
    if (unnamed.length > 0 && !dryRun) {
      await tags.writeViewIfRoom();
      await store.syncs.namesUnlessVisible(store.folder.tags);
    }
    // From here on a name that is set is either seen below, or who sets it is.
    this.#heldSince = new Set();
    await this.#look();
    const namedSince = new Set((dryRun ? [] : await tags.kept()).map(({ descriptor }) => descriptor.digest));
    const roots = new Set(unnamed.map(({ digest }) => digest));
    for (const root of thoseAboveFirst(unnamed)) {
      const isGone = !namedSince.has(root.digest) && (await this.#removeManifests(root, chosen, candidates, roots));
      if (isGone) this.#rootGone(root, candidates);
      else this.#keepRoot(root, chosen, candidates);
    }
    this.#heldSince = undefined;
    this.#rest();
    if (unnamed.length === 0 || dryRun) return;
    for (const { path } of store.folder.blobFolders()) await store.syncs.namesUnlessVisible(path);
  }

  /** @returns false where somebody holds it by now */
  async #removeName(root: Root): Promise<boolean> {
    await this.#lookIfDue();
    const holds = this.#holds;
    if (holds.has(root.digest)) return false;
    const { dryRun = false } = this.#options;
    if (!dryRun && root.tags.length > 0) this.#noteRoot(root);
    const dropped = root.tags.filter((tag) => dryRun || this.#parts.tags.drop(tag, (digest) => holds.has(digest)));
    this.#untagged.push(...dropped);
    return true;
  }

  /**
   * One that is a root of its own is left to its turn. What is held stays with all that is below it.
   * @returns whether all are gone that were chosen
   */
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
      // Of one that was not listed, it may be coming just now, or have come since.
      if (this.#holds.has(digest)) return false;
      if (index === undefined ? await this.#parts.store.stat(digest) : !candidates.isGone(digest)) return false;
    }
    return true;
  }

  /** Of its manifests, those may stay that another root refers to. */
  #rootGone(root: Root, candidates: PruneCandidates): void {
    candidates.rootGone(root);
    for (const digest of this.#options.dryRun ? [] : root.manifests) {
      if (!candidates.isGone(digest)) continue;
      // Not before: to another prune it is a root as long as it is there.
      this.#parts.manifests.removeOfAbsent(digest);
      this.#since?.forget(digest);
    }
  }

  /** A manifest that had but a tag, or none: so that another prune knows it as long as it is there. */
  #noteRoot({ digest, mediaType }: Root): void {
    try {
      if (isManifestType(mediaType)) this.#parts.manifests.add(digest, mediaType);
    } catch (error) {
      if (!MoteError.isInstance(error) || error.code !== "MOTE_NO_SPACE") throw error;
    }
  }

  /** A manifest stays that was to go: so does all that is below it. */
  #keepRoot(root: Root, chosen: PruneChoice, candidates: PruneCandidates): void {
    candidates.rootStays(root);
    if (this.#holds.has(root.digest)) this.#skipHeld(root.digest, candidates);
    for (const digest of root.closure) {
      const index = candidates.indexOf(digest);
      if (index !== undefined) chosen.blobs[index] = 0;
    }
  }

  async #tidy(keptBytes: number): Promise<void> {
    if (this.#options.only === undefined) {
      this.#parts.leftovers.prune({ partBytes: this.#maxSize, damagedBytes: this.#maxSize - keptBytes });
    }
    if (this.#removed.length > 0 || this.#untagged.length > 0) await this.#parts.tags.writeViewIfRoom();
    await this.#forgetMembers();
  }

  /** A record that stays behind is removed by the next prune: no reason to fail when the space is free. */
  async #forgetMembers(): Promise<void> {
    const { tags, members, store, leases } = this.#parts;
    try {
      await tags.forgetMembers(this.#untagged);
      const held = leases.current();
      const isThere = (digest: Digest) => held.has(digest) || lstatIfThere(store.folder.blobPath(digest)) !== undefined;
      await members.clean(isThere, () => store.slices.pause());
    } catch (error) {
      if (!MoteError.isInstance(error)) throw error;
      store.logger.warn("which manifest belongs to which repository could not be cleaned up", { error });
    }
  }

  async #removeBlobs(candidates: PruneCandidates, indices: Iterable<number>): Promise<void> {
    for (const index of indices) {
      const looking = this.#lookIfDue();
      if (looking !== undefined) {
        await looking;
        this.#options.signal?.throwIfAborted();
      }
      if (candidates.isOut(index)) continue;
      const digest = candidates.table.digestAt(index);
      if (this.#holds.has(digest)) this.#skipHeld(digest, candidates);
      else {
        const removing = this.#removeBlob(candidates, index, digest);
        if (removing !== undefined) await removing;
      }
    }
  }

  /** Undefined where it is done already. */
  #removeBlob(candidates: PruneCandidates, index: number, digest: Digest): void | Promise<void> {
    const stays = (error: unknown) => this.#blobStays(candidates, index, digest, error);
    try {
      const removing = this.#options.dryRun || this.#parts.store.remove(digest);
      if (removing instanceof Promise) {
        return removing.then((wasThere) => this.#blobGone(candidates, index, { digest, wasThere })).catch(stays);
      }
      this.#blobGone(candidates, index, { digest, wasThere: removing });
    } catch (error) {
      stays(error);
    }
  }

  #blobStays(candidates: PruneCandidates, index: number, digest: Digest, error: unknown): void {
    const size = candidates.table.sizeAt(index);
    candidates.blobStays(index);
    this.#skipped.set(digest, { digest, size, reason: MoteError.isInstance(error) ? error.code : "MOTE_IO" });
  }

  #blobGone(
    candidates: PruneCandidates,
    index: number,
    { digest, wasThere }: { readonly digest: Digest; readonly wasThere: boolean },
  ): void {
    const size = candidates.table.sizeAt(index);
    if (size > chunkBytes && !this.#options.dryRun) this.#parts.store.chunkDigests.remove(digest);
    candidates.blobGone(index);
    // Else another prune was quicker: it is his to report.
    if (!wasThere) return;
    this.#removed.push({ digest, size, mediaType: mediaTypes.octetStream });
    this.#removedBytes += size;
    if (this.#isLastName(candidates.table, index)) this.#freedBytes += size;
  }

  /** Whether the file has no other name any more: those outside of the cache keep its space, those within it may be gone, too. */
  #isLastName(table: BlobTable, index: number): boolean {
    const links = table.linksAt(index);
    const inode = table.inodeAt(index);
    if (links <= 1 || inode === undefined) return true;
    const left = (this.#linksLeft.get(inode) ?? links) - 1;
    this.#linksLeft.set(inode, left);
    return left === 0;
  }

  #skipHeld(digest: Digest, candidates: PruneCandidates): void {
    const index = candidates.indexOf(digest);
    const size = index === undefined ? 0 : candidates.table.sizeAt(index);
    const reason = this.#holds.get(digest) ?? "leased";
    if (reason !== "named") this.#skipped.set(digest, { digest, size, reason });
    else if (index !== undefined) candidates.blobStays(index);
  }

  /** Nothing is removed before the next look. */
  #rest(): void {
    this.#announced.rest();
    this.#sinceLook = Number.POSITIVE_INFINITY;
  }

  /** Before each removal. Who leases waits for the next look: after a turn of the event loop, or so many removals. Undefined until then. */
  #lookIfDue(): Promise<void> | undefined {
    const turn = this.#parts.store.slices.pause();
    const isFresh = this.#sinceLook++ < removalsBetweenLooks && performance.now() - this.#lookedMs < staleMs;
    return turn === undefined && isFresh ? undefined : this.#look(turn);
  }

  async #look(turn?: Promise<void>): Promise<void> {
    await turn;
    const leased = this.#announced.look();
    this.#lookedMs = performance.now();
    this.#sinceLook = 0;
    const holds = new Map<Digest, "pinned" | "leased" | "named">();
    // In this order: who releases a lease has named before what is to stay.
    for (const digest of (await this.#since?.look()) ?? []) holds.set(digest, "named");
    for (const digest of leased) this.#heldSince?.add(digest);
    for (const digest of this.#heldSince ?? leased) holds.set(digest, "leased");
    for (const digest of this.#parts.pins.list()) holds.set(digest, "pinned");
    this.#holds = holds;
  }
}

/** An index before the manifests that it refers to: while they go, it would have holes. */
function thoseAboveFirst(roots: readonly Root[]): Root[] {
  return roots.toSorted((a, b) => b.manifests.size - a.manifests.size);
}
