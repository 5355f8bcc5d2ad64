import fs from "node:fs";
import { type Digest, errorCode, isAbsent } from "@mote/core";
import { fileError } from "../disk/file-error.js";
import { readPlainFile, removeIfPossible, removeIfThere } from "../disk/plain-file.js";
import { CacheFolder } from "./cache-folder.js";

/** A set of digests, stored as a folder with one small file for each. */
export class DigestFiles {
  readonly #cache: CacheFolder;
  readonly #folder: string;

  constructor(cache: CacheFolder, folder: string) {
    this.#cache = cache;
    this.#folder = folder;
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
    const path = this.#pathOf(digest);
    try {
      return readPlainFile(path)?.toString("utf8");
    } catch (error) {
      throw fileError(error, "read", path);
    }
  }

  list(): Digest[] {
    try {
      return fs.readdirSync(this.#folder).flatMap((name) => CacheFolder.digestOf(name) ?? []);
    } catch (error) {
      if (isAbsent(error)) return [];
      throw fileError(error, "read", this.#folder);
    }
  }

  #pathOf(digest: Digest): string {
    return `${this.#folder}/${CacheFolder.nameOf(digest)}`;
  }
}
