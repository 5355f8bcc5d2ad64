import fs from "node:fs";
import { dirname } from "node:path";
import {
  type Cancellable,
  type Digest,
  type Membership,
  MoteError,
  parseDigest,
  parseRepositoryName,
  type RecordOptions,
  type RepositoriesOptions,
  type RepositoryName,
  type TagStore,
} from "@mote/core";
import { fileError } from "../disk/file-error.js";
import {
  entriesOf,
  isOwnFolder,
  isRealFolder,
  lstatIfThere,
  namesIn,
  readPlainFile,
  removeFolderIfEmpty,
  removeIfPossible,
  removeIfThere,
} from "../disk/plain-file.js";
import { CacheFolder } from "../folder/cache-folder.js";
import { FolderFormat, formatFileName } from "../processes/folder-format.js";
import type { IngestFiles } from "../processes/ingest-files.js";
import type { FolderOpening } from "./folder-opening.js";

/** The format version of `.mote/repositories/`. */
const formatVersion = 1;
/** Exists in a repository's folder while the repository has a name. */
const namedFile = "named";
/** After the name of a record of a blob. */
const blobSuffix = ".blob";

/**
 * Membership on disk: a small file for each record, named by the digest and containing the repository's name.
 *
 *     .mote/repositories/format.json
 *     .mote/repositories/<hash of the path>/<hash of the registry>/{<algorithm>-<encoded>[.blob], named}
 *
 * Names are hashed, so any name is a valid file name, and none leads out of the folder. A record is written under a temporary name first.
 * Nothing is synced: records lost in a power failure are made again from the tags, or when the manifest is stored again.
 */
export class MemberFiles implements Membership {
  readonly #folder: CacheFolder;
  readonly #ingests: IngestFiles;
  readonly #opening: FolderOpening;
  readonly #recordTags: (tags: TagStore) => Promise<boolean>;
  /** Without its file, all records are lost. */
  readonly format: FolderFormat;

  /** @param recordTags as `recordTags` of `Membership` */
  constructor(ingests: IngestFiles, opening: FolderOpening, recordTags: (tags: TagStore) => Promise<boolean>) {
    this.#folder = ingests.folder;
    this.#ingests = ingests;
    this.#opening = opening;
    this.#recordTags = recordTags;
    this.format = new FolderFormat(ingests, this.#folder.repositories, "mote-repositories", formatVersion);
  }

  async record(repository: string, digest: Digest, options: RecordOptions = {}): Promise<void> {
    const { named = false, blob = false } = options;
    const name = repositoryName(repository);
    const member = `${CacheFolder.nameOf(parseDigest(digest))}${blob ? blobSuffix : ""}`;
    await this.#opening.toWrite(options);
    await this.format.establish();
    this.#write(name, member);
    if (named) this.#write(name, namedFile);
  }

  /** As `record` for a tag that is set, when the folder is known to be writable. */
  async recordNamed(repository: string, digest: Digest): Promise<void> {
    const name = repositoryName(repository);
    await this.format.establish();
    this.#write(name, CacheFolder.nameOf(digest));
    this.#write(name, namedFile);
  }

  async has(repository: string, digest: Digest, options?: Cancellable): Promise<boolean> {
    const folder = this.#folderOf(repositoryName(repository));
    const member = CacheFolder.nameOf(parseDigest(digest));
    this.#begin(options);
    if (!isOwnFolder(folder)) return false;
    return [member, `${member}${blobSuffix}`].some((each) => lstatIfThere(`${folder}/${each}`) !== undefined);
  }

  async *list(repository: string, options?: Cancellable): AsyncGenerator<Digest> {
    const folder = this.#folderOf(repositoryName(repository));
    this.#begin(options);
    for (const name of isOwnFolder(folder) ? namesIn(folder) : []) {
      options?.signal?.throwIfAborted();
      const digest = CacheFolder.digestOf(name);
      if (digest !== undefined) yield digest;
    }
  }

  async *repositories({ path, named = false, signal }: RepositoriesOptions = {}): AsyncGenerator<string> {
    this.#begin({ signal });
    const ofPath = path === undefined ? namesIn(this.#folder.repositories) : [CacheFolder.hashOf(path)];
    for (const outer of ofPath) {
      if (outer === formatFileName) continue;
      for (const folder of foldersIn(`${this.#folder.repositories}/${outer}`)) {
        signal?.throwIfAborted();
        if (named && lstatIfThere(`${folder}/${namedFile}`) === undefined) continue;
        const repository = this.#nameOf(folder);
        if (repository !== undefined) yield repository.full;
      }
    }
  }

  async remove(repository: string, digest?: Digest, options?: Cancellable): Promise<void> {
    const name = repositoryName(repository);
    const only = digest === undefined ? undefined : CacheFolder.nameOf(parseDigest(digest));
    await this.#opening.toWrite(options);
    this.format.check();
    const folder = this.#folderOf(name);
    if (only === undefined) return this.#removeWhere(folder, () => true);
    if (!isOwnFolder(folder)) return;
    for (const suffix of ["", blobSuffix]) removeIfThere(`${folder}/${only}${suffix}`);
    this.#removeIfEmpty(folder);
  }

  /** Removes the records of all manifests. Those of blobs stay: they may be waiting for a manifest that is pushed next. */
  async removeManifests(repository: string): Promise<void> {
    await this.#opening.toWrite();
    this.format.check();
    this.#removeWhere(this.#folderOf(repositoryName(repository)), (member) => !member.endsWith(blobSuffix));
  }

  async recordTags(tags: TagStore, options?: Cancellable): Promise<boolean> {
    this.#begin(options);
    try {
      return await this.#recordTags(tags);
    } catch (error) {
      if (!MoteError.isInstance(error)) throw error;
      return false;
    }
  }

  /** Removes the records of content for which `isThere` returns false. */
  async clean(isThere: (digest: Digest) => boolean, yieldIfDue: () => Promise<void> | undefined): Promise<void> {
    this.#begin();
    for (const outer of namesIn(this.#folder.repositories)) {
      for (const folder of foldersIn(`${this.#folder.repositories}/${outer}`)) {
        await yieldIfDue();
        this.#removeWhere(folder, (member) => {
          const digest = CacheFolder.digestOf(member.replace(blobSuffix, ""));
          return digest !== undefined && !isThere(digest);
        });
      }
    }
  }

  #begin(options?: Cancellable): void {
    this.#opening.toRead(options);
    this.format.check();
  }

  #folderOf({ path, registry = "" }: RepositoryName): string {
    return `${this.#folder.repositories}/${CacheFolder.hashOf(path)}/${CacheFolder.hashOf(registry)}`;
  }

  /** Returns the name that a record in the folder contains, if it hashes to the folder. */
  #nameOf(folder: string): RepositoryName | undefined {
    for (const member of namesIn(folder)) {
      const text = readPlainFile(`${folder}/${member}`)?.toString("utf8").trimEnd();
      const name = text === undefined ? undefined : parseRepositoryName(text);
      if (name !== undefined && this.#folderOf(name) === folder) return name;
    }
    return undefined;
  }

  #write(name: RepositoryName, member: string): void {
    const folder = this.#folderOf(name);
    const path = `${folder}/${member}`;
    if (isOwnFolder(folder) && lstatIfThere(path) !== undefined) return;
    const temporary = this.#ingests.newPath("file", "tmp");
    try {
      this.#ingests.write(temporary, `${name.full}\n`);
      this.#folder.createBelow(folder, () => fs.renameSync(temporary, path));
    } catch (error) {
      removeIfPossible(temporary);
      throw fileError(error, "write", path);
    }
  }

  #removeWhere(folder: string, isToGo: (member: string) => boolean): void {
    if (!isOwnFolder(folder)) return;
    for (const member of namesIn(folder)) if (isToGo(member)) removeIfThere(`${folder}/${member}`);
    this.#removeIfEmpty(folder);
  }

  /** Removes the folder after its last record. */
  #removeIfEmpty(folder: string): void {
    try {
      if (!isOwnFolder(folder) || hasMembers(folder)) return;
      const wasNamed = removeIfThere(`${folder}/${namedFile}`);
      const isGone = removeFolderIfEmpty(folder);
      // Another process has recorded something meanwhile, and may have found the marker.
      const name = isGone || !wasNamed ? undefined : this.#nameOf(folder);
      if (name !== undefined) this.#write(name, namedFile);
      removeFolderIfEmpty(dirname(folder));
    } catch (error) {
      throw fileError(error, "write", folder);
    }
  }
}

function repositoryName(text: string): RepositoryName {
  const name = typeof text === "string" ? parseRepositoryName(text) : undefined;
  if (name !== undefined) return name;
  throw new MoteError(
    "MOTE_INVALID_NAME",
    "the repository name is not valid; use REGISTRY/PATH or PATH, such as docker.io/library/alpine",
    { details: { name: text } },
  );
}

function foldersIn(folder: string): string[] {
  if (!isRealFolder(folder)) return [];
  return namesIn(folder)
    .map((name) => `${folder}/${name}`)
    .filter(isRealFolder);
}

/** Stops at the first member, as there may be very many. */
function hasMembers(folder: string): boolean {
  for (const name of entriesOf(folder)) if (name !== namedFile) return true;
  return false;
}
