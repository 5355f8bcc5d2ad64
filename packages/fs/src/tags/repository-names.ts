import fs from "node:fs";
import { type Digest, digestBytes, digestEncoded, errorCode } from "@mote/core";
import { fileError } from "../disk/file-error.js";
import { isRealFolder, lstatIfThere, removeFolderIfEmpty, removeIfThere } from "../disk/plain-file.js";
import { CacheFolder } from "../folder/cache-folder.js";
import { FolderFormat } from "../processes/folder-format.js";
import type { IngestFiles } from "../processes/ingest-files.js";
import { isOfOneTag, isTagFile, readTag } from "./tag-file.js";

/** The format version of `.mote/names/`. */
const formatVersion = 1;
/** Maximum attempts to create a folder that other processes may remove as empty before an entry is made. */
const attempts = 10;

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
  readonly #folder: CacheFolder;
  readonly #ingests: IngestFiles;
  /** Without its file, all entries are lost. */
  readonly format: FolderFormat;

  constructor(folder: CacheFolder, ingests: IngestFiles) {
    this.#folder = folder;
    this.#ingests = ingests;
    this.format = new FolderFormat(ingests, folder.names, { format: "mote-names", version: formatVersion });
  }

  add(repository: string, digest: Digest, file: string): void {
    const ofRepository = this.#folderOf(repository);
    const ofDigest = `${ofRepository}/${CacheFolder.nameOf(digest)}`;
    const path = `${ofDigest}/${file}`;
    if (isRealFolder(ofRepository) && isRealFolder(ofDigest) && lstatIfThere(path) !== undefined) return;
    try {
      for (let attempt = 1; ; attempt++) {
        try {
          this.#folder.makeFolderBelow(ofRepository);
          this.#folder.makeFolderBelow(ofDigest);
          fs.closeSync(this.#ingests.create(path));
          return;
        } catch (error) {
          if (errorCode(error) === "EEXIST" && isRealFolder(ofRepository) && isRealFolder(ofDigest)) return;
          if (errorCode(error) !== "ENOENT" || attempt === attempts) throw error;
        }
      }
    } catch (error) {
      throw fileError(error, "write", path);
    }
  }

  remove(repository: string, digest: Digest, file: string): void {
    const ofRepository = this.#folderOf(repository);
    const ofDigest = `${ofRepository}/${CacheFolder.nameOf(digest)}`;
    if (!isRealFolder(ofRepository) || !isRealFolder(ofDigest)) return;
    removeIfThere(`${ofDigest}/${file}`);
    if (removeFolderIfEmpty(ofDigest)) removeFolderIfEmpty(ofRepository);
  }

  /** Returns whether one of the repository's tags points to the manifest. */
  has(repository: string, digest: Digest): boolean {
    const ofRepository = this.#folderOf(repository);
    return isRealFolder(ofRepository) && this.#hasTag(repository, digest);
  }

  /** Yields the manifests that the repository's tags point to. */
  *digests(repository: string): Generator<Digest> {
    const ofRepository = this.#folderOf(repository);
    if (!isRealFolder(ofRepository)) return;
    for (const name of entriesOf(ofRepository)) {
      const digest = CacheFolder.digestOf(name);
      if (digest !== undefined && this.#hasTag(repository, digest)) yield digest;
    }
  }

  #hasTag(repository: string, digest: Digest): boolean {
    const ofDigest = `${this.#folderOf(repository)}/${CacheFolder.nameOf(digest)}`;
    if (!isRealFolder(ofDigest)) return false;
    for (const file of entriesOf(ofDigest)) {
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

  /** Returns true also for a tag that cannot be read. */
  #isOf(file: string, digest: Digest): boolean {
    try {
      return readTag(`${this.#folder.tags}/${file}`)?.descriptor.digest === digest;
    } catch (error) {
      if (!isOfOneTag(error)) throw error;
      return true;
    }
  }

  #folderOf(repository: string): string {
    return `${this.#folder.names}/${digestEncoded(digestBytes(Buffer.from(repository)))}`;
  }
}

/** Lists a folder lazily, as it may be very large. */
function* entriesOf(folder: string): Generator<string> {
  let entries: fs.Dir;
  try {
    entries = fs.opendirSync(folder);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return;
    throw fileError(error, "read", folder);
  }
  try {
    for (let entry = entries.readSync(); entry !== null; entry = entries.readSync()) yield entry.name;
  } catch (error) {
    throw fileError(error, "read", folder);
  } finally {
    entries.closeSync();
  }
}
