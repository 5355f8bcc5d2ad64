import type { Digest, PruneOptions } from "@mote/core";
import type { BlobTable } from "./blob-table.js";
import type { Holds } from "./holds.js";
import type { Root } from "./roots.js";
import { inTimeOrder } from "./time-order.js";

export interface PruneRun extends PruneOptions {
  /** Only these manifests, with the content that only they refer to, and these unreferenced blobs. Default: everything may be removed. */
  readonly only?: ReadonlySet<Digest> | undefined;
}

export interface PruneChoice {
  readonly roots: readonly Root[];
  /** Indices in the table. */
  readonly blobs: Uint8Array;
  /** Content that would be removed if it were not held. */
  readonly held: ReadonlySet<Digest>;
}

/** Rows between two yields. */
const rowsAtOnce = 4096;
const gone = 1;
const stays = 2;

/** The candidates of a prune: every blob, and the roots that refer to some of them. */
export class PruneCandidates {
  readonly table: BlobTable;
  readonly #roots: Set<Root>;
  readonly #rootDigests: Set<Digest>;
  readonly #indexOf: ReadonlyMap<Digest, number>;
  /** The number of roots that reference a digest. */
  readonly #references = new Map<Digest, number>();
  /** `gone` or `stays`; 0 if undecided. */
  readonly #out: Uint8Array;
  #total: number;

  constructor(table: BlobTable, roots: readonly Root[], indexOf: ReadonlyMap<Digest, number>) {
    this.table = table;
    this.#roots = new Set(roots);
    this.#rootDigests = new Set(roots.map(({ digest }) => digest));
    this.#indexOf = indexOf;
    this.#out = new Uint8Array(table.length);
    this.#total = table.totalSize;
    for (const { closure } of roots) for (const digest of closure) this.#refer(digest, 1);
  }

  /** Bytes of the remaining blobs. */
  get total(): number {
    return this.#total;
  }

  indexOf(digest: Digest): number | undefined {
    return this.#indexOf.get(digest);
  }

  /** Removed, or not to be tried again. */
  isOut(index: number): boolean {
    return this.#out[index] !== 0;
  }

  isGone(digest: Digest): boolean {
    const index = this.#indexOf.get(digest);
    return index === undefined || this.#out[index] === gone;
  }

  blobGone(index: number): void {
    this.#out[index] = gone;
    this.#total -= this.table.sizeAt(index);
  }

  blobStays(index: number): void {
    this.#out[index] = stays;
  }

  /** Called if its name or manifest could not be removed: keeps everything that it refers to. */
  rootStays(root: Root): void {
    this.#roots.delete(root);
  }

  rootGone(root: Root): void {
    this.#roots.delete(root);
    this.#rootDigests.delete(root.digest);
    for (const digest of root.closure) this.#refer(digest, -1);
  }

  /** Chooses the least recently used until the rest is at most `maxSize` bytes; changes nothing. */
  async choose(
    maxSize: number,
    options: PruneRun,
    holds: Holds,
    yieldIfDue: () => Promise<void> | undefined,
  ): Promise<PruneChoice> {
    const now = Date.now();
    const tooOld = now - (options.maxAgeMs ?? Number.POSITIVE_INFINITY);
    // 0 means no bound, even if the clock was set back.
    const tooYoung = now - (options.minAgeMs || Number.NEGATIVE_INFINITY);
    const chosen = { roots: [] as Root[], blobs: new Uint8Array(this.table.length), held: new Set<Digest>() };
    const references = new Map<Digest, number>();
    let remaining = this.#total;

    const take = (index: number, notUsedAfterMs = tooYoung): void => {
      if (this.isOut(index) || chosen.blobs[index] === 1) return;
      // Creating a million strings takes as long as all the rest of this.
      const held = holds.size > 0 ? this.table.digestAt(index) : undefined;
      if (held !== undefined && holds.has(held)) {
        chosen.held.add(held);
      } else if (this.table.usedMsAt(index) <= notUsedAfterMs) {
        chosen.blobs[index] = 1;
        remaining -= this.table.sizeAt(index);
      }
    };
    const takeRoot = (root: Root): void => {
      // A layer of a root that is removed for its age may have been used separately since, and is not that old then.
      const notUsedAfterMs = remaining <= maxSize ? Math.min(tooYoung, tooOld) : tooYoung;
      const held = this.#heldOf(root, holds);
      if (held !== undefined) {
        chosen.held.add(held);
        return;
      }
      chosen.roots.push(root);
      for (const digest of root.closure) {
        const left = (references.get(digest) ?? this.#references.get(digest) ?? 0) - 1;
        references.set(digest, left);
        const index = this.#indexOf.get(digest);
        if (left !== 0 || index === undefined) continue;
        take(index, root.manifests.has(digest) ? tooYoung : notUsedAfterMs);
      }
    };

    const roots = options.only === undefined ? [...this.#roots] : this.#rootsOf(options.only);
    const singles = await this.#singles(options.only, yieldIfDue);
    const usedMs = (unit: number) =>
      unit < singles.length ? this.table.usedMsAt(singles[unit] ?? 0) : (roots[unit - singles.length]?.usedMs ?? 0);
    const goesWhole = (units: Uint32Array): boolean => {
      let left = remaining;
      for (const unit of units) {
        const single = singles[unit];
        if (single === undefined || usedMs(unit) > tooYoung) return false;
        left -= this.table.sizeAt(single);
      }
      return left > maxSize;
    };
    for await (const group of inTimeOrder(singles.length + roots.length, usedMs, yieldIfDue)) {
      for (const unit of goesWhole(group.indices) ? group.indices : group.inOrder()) {
        if ((remaining <= maxSize && usedMs(unit) >= tooOld) || usedMs(unit) > tooYoung) return chosen;
        const single = singles[unit];
        if (single !== undefined) {
          take(single);
          continue;
        }
        const root = roots[unit - singles.length];
        if (root !== undefined) takeRoot(root);
      }
    }
    return chosen;
  }

  /** Returns these roots, and those below them that have no name of their own. */
  #rootsOf(only: ReadonlySet<Digest>): Root[] {
    const roots = [...this.#roots];
    const below = new Set(roots.filter(({ digest }) => only.has(digest)).flatMap(({ manifests }) => [...manifests]));
    return roots.filter(({ digest, tags }) => only.has(digest) || (below.has(digest) && tags.length === 0));
  }

  /** Returns the held digest that protects a root: its own, or that of a manifest below it that is not a root itself. */
  #heldOf(root: Root, holds: Holds): Digest | undefined {
    for (const digest of root.manifests) {
      if (holds.has(digest) && (digest === root.digest || !this.#rootDigests.has(digest))) return digest;
    }
    return holds.has(root.digest) ? root.digest : undefined;
  }

  /** Returns the blobs that no root refers to. */
  async #singles(
    only: ReadonlySet<Digest> | undefined,
    yieldIfDue: () => Promise<void> | undefined,
  ): Promise<Uint32Array> {
    const rooted = new Uint8Array(this.table.length);
    for (const [digest, count] of this.#references) {
      const index = this.#indexOf.get(digest);
      if (index !== undefined && count > 0) rooted[index] = 1;
    }
    const singles = new Uint32Array(this.table.length);
    let count = 0;
    for (let index = 0; index < this.table.length; index++) {
      const turn = index % rowsAtOnce === 0 ? yieldIfDue() : undefined;
      if (turn !== undefined) await turn;
      if (rooted[index] === 1 || this.isOut(index)) continue;
      if (only === undefined || only.has(this.table.digestAt(index))) singles[count++] = index;
    }
    return singles.subarray(0, count);
  }

  #refer(digest: Digest, change: number): void {
    this.#references.set(digest, (this.#references.get(digest) ?? 0) + change);
  }
}
