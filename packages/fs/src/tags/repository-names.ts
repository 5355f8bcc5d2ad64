import fs from "node:fs";
import { dirname } from "node:path";
import { type Digest, errorCode } from "@mote/core";
import { fileError } from "../disk/file-error.js";
import {
  entriesOf,
  isOwnFolder,
  isRealFolder,
  lstatIfThere,
  removeFolderIfEmpty,
  removeIfThere,
} from "../disk/plain-file.js";
import { CacheFolder } from "../folder/cache-folder.js";
import { FolderFormat } from "../processes/folder-format.js";
import type { IngestFiles } from "../processes/ingest-files.js";
import { isOfOneTag, isTagFile, readTag } from "./tag-file.js";

/** The format version of `.mote/names/`. */
const formatVersion = 1;

/**
 * An index of tags by repository and manifest, to find out without reading all tags whether a repository has another name for a
 * manifest, or any name at all: an empty file for each tag.
 *
 *     .mote/names/format.json
 *     .mote/names/<hash of the repository>/<algorithm>-<encoded>/<file of the tag>
 *
 * Every tag of a repository has an entry; the entry of a removed or moved tag may remain, and is removed when found.
 */
export class RepositoryNames {
  readonly #ingests: IngestFiles;
  /** Without its file, all entries are lost. */
  readonly format: FolderFormat;

  constructor(ingests: IngestFiles) {
    this.#ingests = ingests;
    this.format = new FolderFormat(ingests, ingests.folder.names, "mote-names", formatVersion);
  }

  add(repository: string, digest: Digest, file: string): void {
    const folder = this.#folderOf(repository, digest);
    const path = `${folder}/${file}`;
    if (isOwnFolder(folder) && lstatIfThere(path) !== undefined) return;
    try {
      this.#ingests.folder.createBelow(folder, () => createEmpty(this.#ingests, path));
    } catch (error) {
      throw fileError(error, "write", path);
    }
  }

  remove(repository: string, digest: Digest, file: string): void {
    const folder = this.#folderOf(repository, digest);
    if (!isOwnFolder(folder)) return;
    removeIfThere(`${folder}/${file}`);
    if (removeFolderIfEmpty(folder)) removeFolderIfEmpty(dirname(folder));
  }

  /** Returns whether one of the repository's tags points to the manifest. */
  has(repository: string, digest: Digest): boolean {
    const folder = this.#folderOf(repository, digest);
    for (const file of isOwnFolder(folder) ? entriesOf(folder) : []) {
      if (!isTagFile(file)) continue;
      if (this.#isOf(file, digest)) return true;
      this.remove(repository, digest, file);
      // The tag was set meanwhile.
      if (!this.#isOf(file, digest)) continue;
      this.add(repository, digest, file);
      return true;
    }
    return false;
  }

  /** Yields the manifests that the repository's tags point to. */
  *digests(repository: string): Generator<Digest> {
    const folder = `${this.#ingests.folder.names}/${CacheFolder.hashOf(repository)}`;
    for (const name of isRealFolder(folder) ? entriesOf(folder) : []) {
      const digest = CacheFolder.digestOf(name);
      if (digest !== undefined && this.has(repository, digest)) yield digest;
    }
  }

  /** Returns true also for a tag that cannot be read. */
  #isOf(file: string, digest: Digest): boolean {
    try {
      return readTag(`${this.#ingests.folder.tags}/${file}`)?.descriptor.digest === digest;
    } catch (error) {
      if (!isOfOneTag(error)) throw error;
      return true;
    }
  }

  #folderOf(repository: string, digest: Digest): string {
    return `${this.#ingests.folder.names}/${CacheFolder.hashOf(repository)}/${CacheFolder.nameOf(digest)}`;
  }
}

function createEmpty(ingests: IngestFiles, path: string): void {
  try {
    fs.closeSync(ingests.create(path));
  } catch (error) {
    if (errorCode(error) !== "EEXIST") throw error;
  }
}
