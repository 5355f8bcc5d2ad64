import fs from "node:fs";
import { type Digest, errorCode } from "@mote/core";
import { fileError } from "../disk/file-error.js";
import { namesIn, readPlainFile, removeIfPossible, removeIfThere } from "../disk/plain-file.js";
import { CacheFolder } from "./cache-folder.js";

/** A set of digests, stored as a folder with one small file for each. */
export class DigestFiles {
  readonly #cache: CacheFolder;
  readonly folder: string;

  constructor(cache: CacheFolder, folder: string) {
    this.#cache = cache;
    this.folder = folder;
  }

  /** @returns whether it was added, and not there before */
  add(digest: Digest, text = ""): boolean {
    const path = this.#pathOf(digest);
    try {
      const fd = this.#cache.createFile(path);
      try {
        fs.writeFileSync(fd, text);
      } catch (error) {
        removeIfPossible(path);
        throw error;
      } finally {
        fs.closeSync(fd);
      }
      return true;
    } catch (error) {
      if (errorCode(error) === "EEXIST") return false;
      throw fileError(error, "write", path);
    }
  }

  remove(digest: Digest): void {
    removeIfThere(this.#pathOf(digest));
  }

  /** Returns undefined if the digest is not in the set. */
  textOf(digest: Digest): string | undefined {
    return readPlainFile(this.#pathOf(digest))?.toString("utf8");
  }

  list(): Digest[] {
    return namesIn(this.folder).flatMap((name) => CacheFolder.digestOf(name) ?? []);
  }

  #pathOf(digest: Digest): string {
    return `${this.folder}/${CacheFolder.nameOf(digest)}`;
  }
}
