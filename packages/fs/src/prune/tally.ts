import { type Digest, MoteError, type MoteInfo, mediaTypes, type PruneReport, type QuarantineSize } from "@mote/core";
import type { StoredTag } from "../tags/tag-file.js";
import type { BlobTable } from "./blob-table.js";
import type { PruneRun } from "./choice.js";
import type { Hold } from "./holds.js";

/** Collects the results of a prune for its report. */
export class PruneTally {
  readonly #removed: MoteInfo[] = [];
  readonly #untagged: StoredTag[] = [];
  readonly #skipped = new Map<Digest, PruneReport["skipped"][number]>();
  /** Remaining links of files with several names, by inode. */
  readonly #linksLeft = new Map<number, number>();
  /** Of the blobs and in the quarantine. */
  remainingBytes = 0;
  #quarantined: QuarantineSize = { files: 0, bytes: 0 };
  #removedBytes = 0;
  #freedBytes = 0;

  /** Returns the number of removed motes. */
  get removals(): number {
    return this.#removed.length;
  }

  removed(table: BlobTable, index: number, digest: Digest): void {
    const size = table.sizeAt(index);
    this.#removed.push({ digest, size, mediaType: mediaTypes.octetStream });
    this.#removedBytes += size;
    if (this.#isLastName(table, index)) this.#freedBytes += size;
  }

  quarantined({ removed, freedBytes }: { readonly removed: QuarantineSize; readonly freedBytes: number }): void {
    const { files, bytes } = this.#quarantined;
    this.#quarantined = { files: files + removed.files, bytes: bytes + removed.bytes };
    this.#freedBytes += freedBytes;
  }

  untagged(tags: readonly StoredTag[]): void {
    this.#untagged.push(...tags);
  }

  get untaggedNames(): readonly StoredTag[] {
    return this.#untagged;
  }

  held(digest: Digest, size: number, { reason, holder }: Hold): void {
    this.#skipped.set(digest, { digest, size, reason, ...(holder === undefined ? {} : { holder }) });
  }

  failed(digest: Digest, size: number, error: unknown): void {
    this.#skipped.set(digest, { digest, size, reason: MoteError.isInstance(error) ? error.code : "MOTE_IO" });
  }

  /** Discards what was skipped, as it is tried again. */
  startOver(): void {
    this.#skipped.clear();
    this.#linksLeft.clear();
  }

  report(maxSize: number, { only, dryRun = false }: PruneRun): PruneReport {
    const { remainingBytes } = this;
    return {
      removed: this.#removed,
      removedBytes: this.#removedBytes,
      freedBytes: this.#freedBytes,
      remainingBytes,
      ...(this.#quarantined.files > 0 ? { quarantined: this.#quarantined } : {}),
      untagged: this.#untagged.map(({ name }) => name),
      skipped: [...this.#skipped.values()],
      reached: only === undefined ? remainingBytes <= maxSize : this.#skipped.size === 0,
      dryRun,
    };
  }

  /** Returns whether the file has no other name left. Names outside the cache keep its space; others may also be removed. */
  #isLastName(table: BlobTable, index: number): boolean {
    const links = table.linksAt(index);
    const inode = table.inodeAt(index);
    if (links <= 1 || inode === undefined) return true;
    const left = (this.#linksLeft.get(inode) ?? links) - 1;
    this.#linksLeft.set(inode, left);
    return left === 0;
  }
}
