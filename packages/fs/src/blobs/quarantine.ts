import type { Logger, QuarantineSize } from "@mote/core";
import { lstatIfThere, namesIn, removeOrWarn } from "../disk/plain-file.js";
import type { CacheFolder } from "../folder/cache-folder.js";

interface Entry extends QuarantineSize {
  readonly path: string;
  readonly changedMs: number;
  /** Bytes freed by its removal. */
  readonly freedBytes: number;
}

/** The folder that damaged blobs are moved to, only to help find the cause. */
export class Quarantine {
  readonly #folder: CacheFolder;
  readonly #logger: Logger;

  constructor(folder: CacheFolder, logger: Logger) {
    this.#folder = folder;
    this.#logger = logger;
  }

  measure(): QuarantineSize {
    return total(this.#entries());
  }

  /** Removes content quarantined longer ago than `minAgeMs`; a dry run only reports it. Skips what cannot be removed. */
  remove({ minAgeMs, dryRun }: { readonly minAgeMs: number; readonly dryRun: boolean }): {
    readonly removed: QuarantineSize;
    readonly freedBytes: number;
    readonly left: QuarantineSize;
  } {
    const now = Date.now();
    const removed: Entry[] = [];
    const left: Entry[] = [];
    for (const entry of this.#entries()) {
      const isOld = minAgeMs === 0 || now - entry.changedMs >= minAgeMs;
      const isGone = isOld && (dryRun || removeOrWarn(entry.path, this.#logger));
      (isGone ? removed : left).push(entry);
    }
    const freedBytes = removed.reduce((sum, entry) => sum + entry.freedBytes, 0);
    return { removed: total(removed), freedBytes, left: total(left) };
  }

  #entries(): Entry[] {
    try {
      return namesIn(this.#folder.quarantine).flatMap((name) => entryAt(`${this.#folder.quarantine}/${name}`) ?? []);
    } catch (error) {
      this.#logger.warn("cannot read the quarantine", { path: this.#folder.quarantine, error });
      return [];
    }
  }
}

function entryAt(path: string): Entry | undefined {
  const stats = lstatIfThere(path);
  if (stats === undefined) return undefined;
  // A folder that had a blob's name: its content is not mote's, and is not read.
  const bytes = stats.isFile() ? stats.size : 0;
  return { path, files: 1, bytes, changedMs: stats.ctimeMs, freedBytes: stats.nlink > 1 ? 0 : bytes };
}

function total(entries: readonly Entry[]): QuarantineSize {
  return { files: entries.length, bytes: entries.reduce((sum, { bytes }) => sum + bytes, 0) };
}
