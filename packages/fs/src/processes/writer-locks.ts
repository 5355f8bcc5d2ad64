import fs from "node:fs";
import type { Digest } from "@mote/core";
import { errorCode, fileError, isAbsent, isUnreadable } from "../disk/file-error.js";
import { lstatIfThere, namesIn, readPlainFile, removeIfPossible } from "../disk/plain-file.js";
import { CacheFolder } from "../folder/cache-folder.js";
import type { IngestFiles, IngestPath } from "./ingest-files.js";

/** A leader whose file did not grow for this long counts as gone, whether its process lives or not: nobody waits for ever, nor until a
 * clock that was put back is there again. */
const silenceMs = 30_000;

/**
 * Who of all processes writes a digest: a file with the name of the leader's file in it. No lock outlives its owner, for a dead or
 * silent one's file is taken over. Two takers may both win in rare cases, which costs one more fetch.
 */
export class WriterLocks {
  readonly #folder: CacheFolder;
  readonly #ingests: IngestFiles;

  constructor(folder: CacheFolder, ingests: IngestFiles) {
    this.#folder = folder;
    this.#ingests = ingests;
  }

  /** @returns whether `file` leads now */
  acquire(digest: Digest, file: string): boolean {
    const path = this.#pathOf(digest);
    const own = this.#ingests.newPath("file", "tmp");
    try {
      const fd = this.#ingests.create(own);
      try {
        fs.writeFileSync(fd, file);
      } finally {
        fs.closeSync(fd);
      }
      if (linked(own, path)) return true;
      const holder = readIfThere(path);
      if (holder !== undefined && (holder === file || this.#isWriting(holder))) return holder === file;
      if (holder !== undefined) this.#evict(path, holder);
      return linked(own, path);
    } catch (error) {
      throw fileError(error, "write", path);
    } finally {
      removeIfPossible(own);
    }
  }

  /** The file that grows at this time. */
  current(digest: Digest): IngestPath | undefined {
    const holder = readIfThere(this.#pathOf(digest));
    return holder !== undefined && this.#isWriting(holder) ? this.#ingests.parse(holder) : undefined;
  }

  /** Best effort: who has no file any more does not lead. */
  release(digest: Digest, file: string): void {
    const path = this.#pathOf(digest);
    try {
      if (readIfThere(path) === file) fs.unlinkSync(path);
    } catch {
      // The next leader, or a prune, takes it away.
    }
  }

  /** Takes away what silent leaders left. */
  cleanUp(): void {
    for (const name of namesIn(this.#folder.writerLocks)) {
      const path = `${this.#folder.writerLocks}/${name}`;
      const holder = readIfThere(path);
      if (holder !== undefined && !this.#isWriting(holder)) this.#evict(path, holder);
    }
  }

  #isWriting(holder: string): boolean {
    const file = this.#ingests.parse(holder);
    if (file === undefined) return false;
    const stats = lstatIfThere(file.path);
    return stats !== undefined && !isSilent(stats) && this.#ingests.isAlive(file);
  }

  /** Only one of several takers can rename the file away; who finds that he renamed a new leader's puts it back. */
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
    return `${this.#folder.writerLocks}/${CacheFolder.nameOf(digest)}`;
  }
}

/** Of a file: nobody writes it, or nobody who is waited for. */
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

/** Empty, as of nobody who leads, where it cannot be read: nobody waits for it. */
function readIfThere(path: string): string | undefined {
  try {
    return readPlainFile(path)?.toString("latin1");
  } catch (error) {
    if (isUnreadable(error)) return "";
    throw fileError(error, "read", path);
  }
}
