import type { Stats } from "node:fs";
import type { Digest } from "@mote/core";
import { readPlainFile, removeIfPossible } from "../disk/plain-file.js";
import { CacheFolder } from "../folder/cache-folder.js";
import { writeUnsynced } from "../processes/atomic-file.js";
import type { IngestFiles } from "../processes/ingest-files.js";

/** Smaller blobs are hashed again faster than a note is read. */
export const notedBytes = 64 * 1024;

/** A file that changed this recently may change again without a new change time: clocks of file systems tick every few milliseconds. */
const settledMs = 100;

/**
 * Records the state of a blob's file when it was verified while linked outside the cache, as its stamp does not count then. No user can set
 * back the change time; each link or unlink updates it, so whatever adds a link rewrites the note. Without a note the blob is hashed.
 */
export class LinkedNotes {
  readonly #ingests: IngestFiles;

  constructor(ingests: IngestFiles) {
    this.#ingests = ingests;
  }

  matches(digest: Digest, stats: Stats): boolean {
    if (stats.size <= notedBytes || stats.nlink <= 1) return false;
    try {
      return readPlainFile(this.#pathOf(digest))?.toString("latin1") === noteOf(stats);
    } catch {
      return false;
    }
  }

  /** Best effort. `stats` are of a file that was just verified, or got a name after `matches`. */
  save(digest: Digest, stats: Stats): void {
    if (stats.size <= notedBytes || stats.nlink <= 1) return;
    try {
      writeUnsynced(this.#ingests, this.#pathOf(digest), noteOf(stats));
    } catch {
      // A full disk, or a read-only mount.
    }
  }

  /** Best effort: a note about another file does not match. */
  remove(digest: Digest): void {
    removeIfPossible(this.#pathOf(digest));
  }

  #pathOf(digest: Digest): string {
    return `${this.#ingests.folder.chunks}/${CacheFolder.nameOf(digest)}.linked`;
  }
}

/** Returns whether the file's last change is old enough that another change will show in its change time. */
export function isSettled({ ctimeMs }: Stats): boolean {
  return Date.now() - ctimeMs > settledMs;
}

function noteOf({ dev, ino, size, mtimeMs, ctimeMs }: Stats): string {
  return `mote-linked-1 ${dev} ${ino} ${size} ${mtimeMs} ${ctimeMs}\n`;
}
