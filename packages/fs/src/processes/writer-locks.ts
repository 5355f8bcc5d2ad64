import fs from "node:fs";
import { type Digest, errorCode, isAbsent } from "@mote/core";
import { fileError, isUnreadable } from "../disk/file-error.js";
import { lstatIfThere, namesIn, readPlainFile, removeIfPossible } from "../disk/plain-file.js";
import { CacheFolder } from "../folder/cache-folder.js";
import type { IngestFiles, IngestPath } from "./ingest-files.js";

/** A writer whose file did not grow for this long has lost its lock, even if its process is alive, so that no wait is endless. */
const silenceMs = 30_000;
/** A lock that was acquired this recently has not been evicted: its writer is alive, and has not been silent. */
const undisputedMs = silenceMs / 3;

/**
 * Decides which of all processes writes a blob: a lock is a file with the name of the writer's ingest file. A dead or silent writer's
 * lock is evicted. In rare cases two processes acquire it, which costs one more fetch.
 */
export class WriterLocks {
  readonly #ingests: IngestFiles;
  /** The ingest files of locks that this object acquired, and when (Unix milliseconds). */
  readonly #acquired = new Map<string, number>();

  constructor(ingests: IngestFiles) {
    this.#ingests = ingests;
  }

  /** @returns whether the writer of `file` now has the lock */
  acquire(digest: Digest, file: string): boolean {
    const path = this.#pathOf(digest);
    const own = this.#ingests.newPath("file", "tmp");
    try {
      this.#ingests.write(own, file);
      if (this.#linked(own, path, file)) return true;
      const holder = readIfThere(path);
      if (holder !== undefined && (holder === file || this.#isWriting(holder))) return holder === file;
      if (holder !== undefined) this.#evict(path, holder);
      return this.#linked(own, path, file);
    } catch (error) {
      throw fileError(error, "write", path);
    } finally {
      removeIfPossible(own);
    }
  }

  /** Returns the ingest file that is growing. */
  current(digest: Digest): IngestPath | undefined {
    const holder = readIfThere(this.#pathOf(digest));
    return holder !== undefined && this.#isWriting(holder) ? this.#ingests.parse(holder) : undefined;
  }

  /** Best effort: a lock whose file does not exist is ignored. */
  release(digest: Digest, file: string): void {
    const path = this.#pathOf(digest);
    const acquiredMs = this.#acquired.get(file);
    this.#acquired.delete(file);
    const isUndisputed = acquiredMs !== undefined && Math.abs(Date.now() - acquiredMs) < undisputedMs;
    try {
      if (isUndisputed || readIfThere(path) === file) fs.unlinkSync(path);
    } catch {
      // The next writer, or a prune, evicts it.
    }
  }

  /** Evicts silent writers. */
  cleanUp(): void {
    for (const name of namesIn(this.#ingests.folder.writerLocks)) {
      const path = `${this.#ingests.folder.writerLocks}/${name}`;
      const holder = readIfThere(path);
      if (holder !== undefined && !this.#isWriting(holder)) this.#evict(path, holder);
    }
  }

  #linked(own: string, path: string, file: string): boolean {
    const isLinked = linked(own, path);
    if (isLinked) this.#acquired.set(file, Date.now());
    return isLinked;
  }

  #isWriting(holder: string): boolean {
    const file = this.#ingests.parse(holder);
    if (file === undefined) return false;
    const stats = lstatIfThere(file.path);
    return stats !== undefined && !isSilent(stats) && this.#ingests.isAlive(file);
  }

  /** Renames the lock file away, which only one process can do; if it renamed the lock of a newer writer, it puts that back. */
  #evict(path: string, holder: string): void {
    const aside = this.#ingests.newPath("file", "tmp");
    try {
      fs.renameSync(path, aside);
    } catch (error) {
      if (isAbsent(error)) return;
      throw error;
    }
    if (readIfThere(aside) !== holder) linked(aside, path);
    removeIfPossible(aside);
  }

  #pathOf(digest: Digest): string {
    return `${this.#ingests.folder.writerLocks}/${CacheFolder.nameOf(digest)}`;
  }
}

/** Returns whether an ingest file has not changed for so long that its writer is not waited for. */
export function isSilent({ ctimeMs }: fs.Stats): boolean {
  return Math.abs(Date.now() - ctimeMs) >= silenceMs;
}

function linked(existing: string, name: string): boolean {
  try {
    fs.linkSync(existing, name);
    return true;
  } catch (error) {
    if (errorCode(error) === "EEXIST") return false;
    throw error;
  }
}

/** Returns "" if it cannot be read: a lock without a writer. */
function readIfThere(path: string): string | undefined {
  try {
    return readPlainFile(path)?.toString("latin1");
  } catch (error) {
    if (isUnreadable(error)) return "";
    throw error;
  }
}
