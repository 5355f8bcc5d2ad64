import fs from "node:fs";
import {
  type Cancellable,
  type Digest,
  digestBytes,
  digestEncoded,
  errorCode,
  isAbsent,
  type Membership,
  MoteError,
  parseDigest,
  parseRecord,
  parseRepositoryName,
  type RecordOptions,
  type RepositoriesOptions,
  type RepositoryName,
} from "@mote/core";
import { fileError } from "../disk/file-error.js";
import { lstatIfThere, namesIn, readPlainFile, removeIfPossible } from "../disk/plain-file.js";
import { CacheFolder } from "../folder/cache-folder.js";
import { writeAtomically } from "../processes/atomic-file.js";
import type { IngestFiles } from "../processes/ingest-files.js";

/** The version of what is below `.mote/repositories/`. */
const formatVersion = 1;
const formatFile = "format.json";
/** Stands in a repository's folder while the repository has a name. */
const namedFile = "named";
/** Another process may remove a folder as empty while a record is written there: it is made again, so many times at most. */
const attempts = 10;

/** What is done before the folder is used, and throws where it must not be. */
export interface ReadyMembers {
  toRead(): void;
  toWrite(): Promise<void>;
}

/**
 * Membership on disk: a small file for each record, whose name is the manifest's digest and whose text is the repository's name.
 *
 *     .mote/repositories/format.json
 *     .mote/repositories/<hash of the path>/<hash of the registry>/{<algorithm>-<encoded>, named}
 *
 * Names are hashed, so any name is a file's name, and none leads out of the folder. A record is written under a temporary name first.
 * Nothing is synced: what a power failure takes is recorded again from the tags, or when the manifest is stored again.
 */
export class MemberFiles implements Membership {
  readonly #folder: CacheFolder;
  readonly #ingests: IngestFiles;
  readonly #ready: ReadyMembers;
  #isKnownFormat = false;

  constructor(folder: CacheFolder, ingests: IngestFiles, ready: ReadyMembers) {
    this.#folder = folder;
    this.#ingests = ingests;
    this.#ready = ready;
  }

  async record(repository: string, digest: Digest, { named = false, signal }: RecordOptions = {}): Promise<void> {
    const name = repositoryName(repository);
    const member = CacheFolder.nameOf(parseDigest(digest));
    signal?.throwIfAborted();
    await this.#ready.toWrite();
    if (!this.#checkFormat()) {
      const text = `${JSON.stringify({ format: "mote-repositories", version: formatVersion })}\n`;
      await writeAtomically(this.#ingests, `${this.#folder.repositories}/${formatFile}`, text);
    }
    this.#write(name, member);
    if (named) this.#write(name, namedFile);
  }

  async has(repository: string, digest: Digest, options?: Cancellable): Promise<boolean> {
    const folder = this.#folderOf(repositoryName(repository));
    const member = CacheFolder.nameOf(parseDigest(digest));
    this.#begin(options);
    return isRealFolder(folder) && lstatIfThere(`${folder}/${member}`) !== undefined;
  }

  async *list(repository: string, options?: Cancellable): AsyncGenerator<Digest> {
    const folder = this.#folderOf(repositoryName(repository));
    this.#begin(options);
    for (const digest of membersIn(folder)) {
      options?.signal?.throwIfAborted();
      yield digest;
    }
  }

  async *repositories({ path, named = false, signal }: RepositoriesOptions = {}): AsyncGenerator<string> {
    this.#begin({ signal });
    const ofPath = path === undefined ? namesIn(this.#folder.repositories) : [hashOf(path)];
    for (const outer of ofPath) {
      if (outer === formatFile) continue;
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
    options?.signal?.throwIfAborted();
    await this.#ready.toWrite();
    this.#checkFormat();
    this.#remove(this.#folderOf(name), (member) => only === undefined || member === only);
  }

  /** Removes the records of manifests that `isThere` denies. */
  async clean(isThere: (digest: Digest) => boolean, yieldIfDue: () => Promise<void> | undefined): Promise<void> {
    this.#begin();
    for (const outer of namesIn(this.#folder.repositories)) {
      for (const folder of foldersIn(`${this.#folder.repositories}/${outer}`)) {
        await yieldIfDue();
        this.#remove(folder, (member) => {
          const digest = CacheFolder.digestOf(member);
          return digest !== undefined && !isThere(digest);
        });
      }
    }
  }

  #begin(options?: Cancellable): void {
    options?.signal?.throwIfAborted();
    this.#ready.toRead();
    this.#checkFormat();
  }

  /** @returns whether there is a format file @throws MOTE_UNSUPPORTED_FORMAT of a version that this release does not know */
  #checkFormat(): boolean {
    if (this.#isKnownFormat) return true;
    const path = `${this.#folder.repositories}/${formatFile}`;
    let text: string | undefined;
    try {
      text = readPlainFile(path)?.toString("utf8");
    } catch (error) {
      throw fileError(error, "read", path);
    }
    if (text === undefined) return false;
    const version = versionOf(text);
    if (version !== formatVersion) {
      throw new MoteError(
        "MOTE_UNSUPPORTED_FORMAT",
        `${path} has version ${String(version ?? "unknown")}, and this release reads version ${formatVersion}; use a newer release, or remove ${this.#folder.repositories}`,
        { details: { path, version } },
      );
    }
    this.#isKnownFormat = true;
    return true;
  }

  #folderOf({ path, registry = "" }: RepositoryName): string {
    return `${this.#folder.repositories}/${hashOf(path)}/${hashOf(registry)}`;
  }

  /** The name that a record in the folder has, if it is the folder's. */
  #nameOf(folder: string): RepositoryName | undefined {
    for (const member of namesIn(folder)) {
      let text: string | undefined;
      try {
        text = readPlainFile(`${folder}/${member}`)?.toString("utf8").trimEnd();
      } catch (error) {
        throw fileError(error, "read", `${folder}/${member}`);
      }
      const name = text === undefined ? undefined : parseRepositoryName(text);
      if (name !== undefined && this.#folderOf(name) === folder) return name;
    }
    return undefined;
  }

  #write(name: RepositoryName, member: string): void {
    const folder = this.#folderOf(name);
    const path = `${folder}/${member}`;
    if (isRealFolder(folder) && lstatIfThere(path) !== undefined) return;
    const temporary = this.#ingests.newPath("file", "tmp");
    try {
      const fd = this.#ingests.create(temporary);
      try {
        fs.writeFileSync(fd, `${name.full}\n`);
      } finally {
        fs.closeSync(fd);
      }
      for (let attempt = 1; ; attempt++) {
        this.#folder.makeFolderBelow(folder.slice(0, folder.lastIndexOf("/")));
        try {
          this.#folder.makeFolderBelow(folder);
          fs.renameSync(temporary, path);
          return;
        } catch (error) {
          if (errorCode(error) !== "ENOENT" || attempt === attempts) throw error;
        }
      }
    } catch (error) {
      removeIfPossible(temporary);
      throw fileError(error, "write", path);
    }
  }

  /** The name's mark goes with the last record. */
  #remove(folder: string, isToGo: (member: string) => boolean): void {
    if (!isRealFolder(folder)) return;
    try {
      const left = namesIn(folder).filter((member) => {
        if (!isToGo(member)) return true;
        removeIfThere(`${folder}/${member}`);
        return false;
      });
      if (left.some((member) => member !== namedFile)) return;
      if (left.length > 0) removeIfThere(`${folder}/${namedFile}`);
      const isGone = removeIfEmpty(folder);
      // Another process has recorded something meanwhile, and may have found the mark there.
      const name = isGone || left.length === 0 ? undefined : this.#nameOf(folder);
      if (name !== undefined) this.#write(name, namedFile);
      removeIfEmpty(folder.slice(0, folder.lastIndexOf("/")));
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
    "not a repository's name; write REGISTRY/PATH, or PATH alone, as in docker.io/library/alpine",
    { details: { name: text } },
  );
}

function hashOf(text: string): string {
  return digestEncoded(digestBytes(Buffer.from(text)));
}

/** A symbolic link of that name could lead out of the cache. */
function isRealFolder(path: string): boolean {
  return (
    (lstatIfThere(path)?.isDirectory() ?? false) &&
    (lstatIfThere(path.slice(0, path.lastIndexOf("/")))?.isDirectory() ?? false)
  );
}

function foldersIn(folder: string): string[] {
  if (!lstatIfThere(folder)?.isDirectory()) return [];
  return namesIn(folder)
    .map((name) => `${folder}/${name}`)
    .filter((path) => lstatIfThere(path)?.isDirectory());
}

function membersIn(folder: string): Digest[] {
  return isRealFolder(folder) ? namesIn(folder).flatMap((name) => CacheFolder.digestOf(name) ?? []) : [];
}

function versionOf(text: string): unknown {
  const body = parseRecord(text);
  return body?.format === "mote-repositories" ? body.version : undefined;
}

function removeIfThere(path: string): void {
  try {
    fs.unlinkSync(path);
  } catch (error) {
    if (!isAbsent(error)) throw error;
  }
}

/** @returns false where something is in it */
function removeIfEmpty(folder: string): boolean {
  try {
    fs.rmdirSync(folder);
  } catch (error) {
    if (["ENOTEMPTY", "EEXIST"].includes(errorCode(error) ?? "")) return false;
    if (!isAbsent(error)) throw error;
  }
  return true;
}
