import fs from "node:fs";
import { type Digest, digestBytes, digestEncoded, errorCode } from "@mote/core";
import { fileError } from "../disk/file-error.js";
import { isRealFolder, lstatIfThere, removeFolderIfEmpty, removeIfThere } from "../disk/plain-file.js";
import { CacheFolder } from "../folder/cache-folder.js";
import { FolderFormat } from "../folder/folder-format.js";
import { writeAtomically } from "../processes/atomic-file.js";
import type { IngestFiles } from "../processes/ingest-files.js";
import { isOfOneTag, isTagFile, readTag } from "./tag-file.js";

/** The version of what is below `.mote/names/`. */
const formatVersion = 1;
/** Another process may remove a folder as empty while an entry is made there: so many attempts at most. */
const attempts = 10;

/**
 * An index of tags by repository and manifest, so that it is known without reading all tags whether a repository has another name for a
 * manifest, or any name at all: an empty file for each tag.
 *
 *     .mote/names/format.json
 *     .mote/names/<hash of the repository>/<algorithm>-<encoded>/<file of the tag>
 *
 * Every tag of a repository has an entry; an entry whose tag is gone, or was moved, may stay behind, and is removed when it is found.
 */
export class RepositoryNames {
  readonly #folder: CacheFolder;
  readonly #ingests: IngestFiles;
  readonly #format: FolderFormat;

  constructor(folder: CacheFolder, ingests: IngestFiles) {
    this.#folder = folder;
    this.#ingests = ingests;
    this.#format = new FolderFormat(folder.names, {
      format: "mote-names",
      version: formatVersion,
      write: (path, text) => writeAtomically(ingests, path, text),
    });
  }

  /** Makes the format file. @throws MOTE_UNSUPPORTED_FORMAT */
  async establish(): Promise<void> {
    await this.#format.establish();
  }

  /** Whether the folder is there: all entries are gone with it. */
  get isEstablished(): boolean {
    return this.#format.isThere();
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

  /** Whether one of the repository's tags stands for the manifest. */
  has(repository: string, digest: Digest): boolean {
    const ofRepository = this.#folderOf(repository);
    return isRealFolder(ofRepository) && this.#hasTag(repository, digest);
  }

  /** Yields the manifests that the repository's tags stand for. */
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

  /** One that cannot be read may be. */
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

/** Reads no more of a folder than is asked for: it may be very large. */
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
