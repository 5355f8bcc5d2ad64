import type { Logger } from "@mote/core";
import { hasVerifiedStamp } from "../blobs/verified-stamp.js";
import { lstatIfThere, namesIn, removeOrWarn } from "../disk/plain-file.js";
import { CacheFolder } from "../folder/cache-folder.js";
import type { IngestFiles, IngestPath } from "../processes/ingest-files.js";
import type { LeaseFiles } from "../processes/lease-files.js";
import type { WriterLocks } from "../processes/writer-locks.js";

export interface KeepIngests {
  /** How long an unfinished resumable write is kept, in milliseconds. Default: three days. */
  readonly maxAgeMs?: number | undefined;
  /** Maximum total size in bytes. Default: 10 GiB. */
  readonly maxBytes?: number | undefined;
}

const keepIngestsMs = 3 * 24 * 60 * 60 * 1000;
const keepIngestsBytes = 10 * 1024 ** 3;
const keepDamagedMs = 30 * 24 * 60 * 60 * 1000;

interface OrphanDependencies {
  readonly ingests: IngestFiles;
  readonly leases: LeaseFiles;
  readonly locks: WriterLocks;
  readonly uploads: { cleanUp(): void };
  readonly keep: KeepIngests;
  readonly logger: Logger;
}

/** Removes what dead writers and damaged blobs left below `.mote/`. */
export class Orphans {
  readonly #from: OrphanDependencies;
  readonly #ingests: IngestFiles;
  readonly #folder: CacheFolder;

  constructor(from: OrphanDependencies) {
    this.#from = from;
    this.#ingests = from.ingests;
    this.#folder = from.ingests.folder;
  }

  /** Removes orphans, and unfinished writes beyond their limits: oldest first, down to `ingestBytes`. */
  cleanUp(ingestBytes = Number.POSITIVE_INFINITY): void {
    const { leases, locks, uploads } = this.#from;
    for (const each of [leases, locks, uploads]) this.#try(() => each.cleanUp());
    this.#try(() => this.#cleanUpFiles(ingestBytes));
  }

  /** As `cleanUp`; also removes the chunk digests of missing blobs. */
  prune(ingestBytes: number): void {
    this.cleanUp(ingestBytes);
    this.#try(() => this.#cleanUpChunkDigests());
  }

  /** Continues after an error: orphans do no harm. */
  #try(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#from.logger.warn("cannot clean up orphans", { path: this.#folder.root, error });
    }
  }

  #cleanUpFiles(mostBytes: number): void {
    const unfinished: Orphan[] = [];
    const files = this.#ingests.list();
    for (const file of files) {
      if (file.kind === "view" || file.kind === "note" || this.#ingests.isAlive(file)) continue;
      const found = orphanAt(file.path);
      if (found === undefined) continue;
      const isResumable = file.kind === "part" || file.kind === "ranges";
      if (isResumable && found.size > 0 && !this.#isFinished(file)) unfinished.push(found);
      else this.#remove(found);
    }
    const { quarantine } = this.#folder;
    const damaged = namesIn(quarantine).flatMap((name) => orphanAt(`${quarantine}/${name}`) ?? []);
    const { maxAgeMs = keepIngestsMs, maxBytes = keepIngestsBytes } = this.#from.keep;
    this.#bound(unfinished, maxAgeMs, Math.min(mostBytes, maxBytes));
    this.#bound(damaged, keepDamagedMs, Number.POSITIVE_INFINITY);
    this.#cleanUpNotes(files);
  }

  /** Removes the notes whose file no longer exists. */
  #cleanUpNotes(before: readonly IngestPath[]): void {
    const notes = before.filter(({ kind }) => kind === "note");
    if (notes.length === 0) return;
    // Listed again: a file is created before its note, and may have been suspended since.
    const now = this.#ingests.list().filter(({ kind }) => kind === "ranges");
    const noted = new Set(now.map((file) => this.#ingests.notePath(file)));
    for (const { path } of notes) if (!noted.has(path)) this.#remove({ path });
  }

  /** Returns whether another writer has stored the blob. */
  #isFinished({ digest }: IngestPath): boolean {
    const stats = digest && lstatIfThere(this.#folder.blobPath(digest));
    return stats !== undefined && digest !== undefined && hasVerifiedStamp(stats, digest);
  }

  #cleanUpChunkDigests(): void {
    for (const name of namesIn(this.#folder.chunks)) {
      const digest = CacheFolder.digestOf(name);
      const isOrphan = digest === undefined || orphanAt(this.#folder.blobPath(digest)) === undefined;
      if (isOrphan) this.#remove({ path: `${this.#folder.chunks}/${name}` });
    }
  }

  #bound(orphans: readonly Orphan[], maxAgeMs: number, maxBytes: number): void {
    let bytes = orphans.reduce((sum, { size }) => sum + size, 0);
    for (const found of orphans.toSorted((a, b) => a.changedMs - b.changedMs)) {
      const stays = bytes <= maxBytes && maxBytes > 0 && Math.abs(Date.now() - found.changedMs) <= maxAgeMs;
      if (stays) continue;
      this.#remove(found);
      bytes -= found.size;
    }
  }

  #remove({ path }: Pick<Orphan, "path">): void {
    removeOrWarn(path, this.#from.logger);
  }
}

interface Orphan {
  readonly path: string;
  readonly size: number;
  readonly changedMs: number;
}

function orphanAt(path: string): Orphan | undefined {
  const stats = lstatIfThere(path);
  // A file with gaps is larger than the space that it uses.
  return stats && { path, size: Math.min(stats.size, stats.blocks * 512 || stats.size), changedMs: stats.ctimeMs };
}
